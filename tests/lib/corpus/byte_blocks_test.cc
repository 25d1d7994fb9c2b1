#include "lib/corpus/byte_blocks.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "lib/base/error.h"
#include "tests/lib/corpus/compress.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

auto IsCorrupt() { return IsError(kInvalid, reason::kFileCorrupt); }

std::string NumberedLines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += absl::StrCat("line ", i, " of a text that is not all the same\n");
  return text;
}

class ByteBlocksTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Read(const std::string& bytes, Compression compression) const {
    auto blocks = ByteBlocks::Open(folder_.Write("file", bytes), compression);
    if (!blocks.ok()) return blocks.status();
    std::string all;
    while (true) {
      auto block = (*blocks)->Next();
      if (!block.ok()) return block.status();
      if (block->empty()) return all;
      all.append(block->data(), block->size());
    }
  }

  TestFolder folder_;
};

TEST_F(ByteBlocksTest, AnUncompressedFileIsOneBlock) {
  ASSERT_OK_AND_ASSIGN(const auto blocks, ByteBlocks::Open(folder_.Write("a", "some text"), Compression::kNone));
  EXPECT_EQ(*blocks->Next(), "some text");
  EXPECT_EQ(*blocks->Next(), "");
  EXPECT_EQ(*blocks->Next(), "");
  EXPECT_EQ(*Read("", Compression::kNone), "");
}

TEST_F(ByteBlocksTest, WhatWasCompressedComesBack) {
  for (const std::string& text : {std::string(), std::string("x"), NumberedLines(100), NumberedLines(200'000)}) {
    EXPECT_EQ(*Read(Gzip(text), Compression::kGzip), text) << text.size();
    EXPECT_EQ(*Read(Zstd(text), Compression::kZstd), text) << text.size();
  }
}

TEST_F(ByteBlocksTest, MembersAndFramesFollowOneAnother) {
  EXPECT_EQ(*Read(Gzip("one ") + Gzip("") + Gzip("two"), Compression::kGzip), "one two");
  EXPECT_EQ(*Read(Zstd("one ") + Zstd("") + Zstd("two"), Compression::kZstd), "one two");
}

TEST_F(ByteBlocksTest, ZerosMayFollowAGzipMember) {
  for (const size_t count : {1, 511, 3'000'000}) {
    const std::string zeros(count, '\0');
    EXPECT_EQ(*Read(Gzip("one") + zeros, Compression::kGzip), "one") << count;
    EXPECT_EQ(*Read(absl::StrCat(Gzip("one "), zeros, Gzip("two"), zeros), Compression::kGzip), "one two") << count;
    EXPECT_THAT(Read(zeros + Gzip("one"), Compression::kGzip), IsCorrupt()) << count;
    EXPECT_THAT(Read(Gzip("one") + zeros + "x", Compression::kGzip), IsCorrupt()) << count;
    EXPECT_THAT(Read(Gzip("one") + zeros + "\x1F", Compression::kGzip), IsCorrupt()) << count;
  }
  const std::string block(size_t{1} << 20, 'x');  // as long as what is unfolded at once
  EXPECT_EQ(*Read(Gzip(block) + std::string(9, '\0'), Compression::kGzip), block);
}

TEST_F(ByteBlocksTest, ATruncatedFileIsCorruptWhereverItEnds) {
  const std::string text = NumberedLines(50);
  const std::string gzip = Gzip(text), zstd = Zstd(text);
  for (size_t size = 0; size < gzip.size(); ++size) {
    EXPECT_THAT(Read(gzip.substr(0, size), Compression::kGzip), IsCorrupt()) << size;
  }
  for (size_t size = 0; size < zstd.size(); ++size) {
    EXPECT_THAT(Read(zstd.substr(0, size), Compression::kZstd), IsCorrupt()) << size;
  }
  EXPECT_THAT(Read(gzip.substr(0, gzip.size() / 2), Compression::kGzip), MessageHas("truncated"));
  EXPECT_THAT(Read(zstd.substr(0, zstd.size() / 2), Compression::kZstd), MessageHas("truncated"));
}

TEST_F(ByteBlocksTest, ASecondMemberThatIsTruncatedIsCorrupt) {
  const std::string second = Gzip("two"), frame = Zstd("two");
  EXPECT_THAT(Read(Gzip("one") + second.substr(0, second.size() - 1), Compression::kGzip), IsCorrupt());
  EXPECT_THAT(Read(Zstd("one") + frame.substr(0, frame.size() - 1), Compression::kZstd), IsCorrupt());
}

TEST_F(ByteBlocksTest, WhatIsNotCompressedIsCorrupt) {
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    const auto read = Read("this is plain text, and not a little of it", compression);
    EXPECT_THAT(read, IsCorrupt());
    EXPECT_THAT(read, MessageHas("file"));
  }
  EXPECT_THAT(Read(Zstd("text"), Compression::kGzip), IsCorrupt());
  EXPECT_THAT(Read(Gzip("text"), Compression::kZstd), IsCorrupt());
  EXPECT_THAT(Read(Gzip("text") + "and more", Compression::kGzip), IsCorrupt());
}

TEST_F(ByteBlocksTest, AFlippedBitIsSeenByTheChecksum) {
  std::string gzip = Gzip(NumberedLines(50));
  gzip[gzip.size() - 6] = static_cast<char>(gzip[gzip.size() - 6] ^ 1);  // in its CRC-32
  EXPECT_THAT(Read(gzip, Compression::kGzip), IsCorrupt());
}

TEST_F(ByteBlocksTest, ABombIsNotUnfolded) {
  const std::string zeros(size_t{64} << 20, '\0');
  const auto gzip = Read(Gzip(zeros), Compression::kGzip);
  EXPECT_THAT(gzip, IsCorrupt());
  EXPECT_THAT(gzip, MessageHas("200 times"));
  EXPECT_THAT(Read(Zstd(zeros), Compression::kZstd), IsCorrupt());
}

TEST_F(ByteBlocksTest, WhatIsSmallMayUnfoldAsFarAsItLikes) {
  const std::string zeros(size_t{8} << 20, '\0');
  EXPECT_EQ(*Read(Gzip(zeros), Compression::kGzip), zeros);
  EXPECT_EQ(*Read(Zstd(zeros), Compression::kZstd), zeros);
}

TEST_F(ByteBlocksTest, AWindowThatIsTooLargeIsUnsupported) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 28);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  const std::string text = NumberedLines(10);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer written{out.data(), out.size(), 0};
  ASSERT_EQ(ZSTD_isError(ZSTD_compressStream2(context.get(), &written, &in, ZSTD_e_continue)), 0U);
  ASSERT_EQ(ZSTD_compressStream2(context.get(), &written, &in, ZSTD_e_end), 0U);
  out.resize(written.pos);
  const auto read = Read(out, Compression::kZstd);
  EXPECT_THAT(read, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(read, MessageHas("128 MiB"));
}

TEST_F(ByteBlocksTest, AMissingFileIsNotFound) {
  for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    EXPECT_THAT(ByteBlocks::Open(folder_.File("nowhere"), compression).status(),
                IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  }
}

}  // namespace
}  // namespace superpose
