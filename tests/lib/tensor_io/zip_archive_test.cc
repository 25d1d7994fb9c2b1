#include "lib/tensor_io/zip_archive.h"

#include <limits>

#include "tests/lib/tensor_io/files.h"
#include "tests/lib/tensor_io/zip_writer.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr uint32_t kIn64 = std::numeric_limits<uint32_t>::max();

class ZipArchiveTest : public FilesTest {
 protected:
  absl::StatusOr<ZipArchive> Open(const std::string& bytes) const {
    auto file = MappedFile::Open(Put(bytes));
    return file.ok() ? ZipArchive::Open(*std::move(file)) : absl::StatusOr<ZipArchive>(file.status());
  }
};

TEST_F(ZipArchiveTest, EntriesAreReadByName) {
  ASSERT_OK_AND_ASSIGN(ZipArchive archive,
                       Open(MakeZip({{.name = "a/b", .bytes = "text"}, {.name = "empty", .bytes = ""}})));
  EXPECT_EQ(archive.entries().size(), 2);
  ASSERT_OK_AND_ASSIGN(absl::string_view bytes, archive.Read("a/b"));
  EXPECT_EQ(bytes, "text");
  EXPECT_EQ(bytes.data(), archive.file()->text().data() + archive.entries().at("a/b").offset);
  ASSERT_OK_AND_ASSIGN(bytes, archive.Read("empty"));
  EXPECT_EQ(bytes, "");
  EXPECT_THAT(archive.Read("b"), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, AnArchiveWithoutEntriesIsValid) {
  ASSERT_OK_AND_ASSIGN(ZipArchive archive, Open(MakeZip({})));
  EXPECT_TRUE(archive.entries().empty());
}

TEST_F(ZipArchiveTest, PaddingBeforeTheBytesAndACommentAtTheEndAreSkipped) {
  std::string zip = MakeZip({{.name = "a", .bytes = "text", .local_extra = std::string(40, 'Z')}});
  ASSERT_OK_AND_ASSIGN(ZipArchive archive, Open(zip + std::string(65535, ' ')));
  ASSERT_OK_AND_ASSIGN(absl::string_view bytes, archive.Read("a"));
  EXPECT_EQ(bytes, "text");
  EXPECT_THAT(Open(zip + std::string(65536, ' ')), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, WhatPytorchWroteIsReadAndItsChecksumsHold) {
  auto file = MappedFile::Open(Fixture("dtypes.pt"));
  ASSERT_OK(file);
  ASSERT_OK_AND_ASSIGN(ZipArchive archive, ZipArchive::Open(*file));
  EXPECT_EQ(archive.entries().count("dtypes/data.pkl"), 1);
  for (const auto& [name, entry] : archive.entries()) EXPECT_OK(archive.Read(name)) << name;
}

TEST_F(ZipArchiveTest, BytesThatDoNotMatchTheirChecksumAreCorrupt) {
  constexpr uint32_t kChecksum = 0xcbf43926;  // the well-known CRC-32 of these digits
  ASSERT_OK_AND_ASSIGN(ZipArchive good, Open(MakeZip({{.name = "a", .bytes = "123456789", .crc32 = kChecksum}})));
  EXPECT_OK(good.Read("a"));
  ASSERT_OK_AND_ASSIGN(ZipArchive bad, Open(MakeZip({{.name = "a", .bytes = "123456780", .crc32 = kChecksum}})));
  EXPECT_THAT(bad.Read("a"), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, EveryTruncationIsCorrupt) {
  std::string whole = BytesOf(Fixture("views.pt"));
  for (size_t size = 0; size < whole.size(); ++size)
    ASSERT_THAT(Open(whole.substr(0, size)), IsError(kInvalid, reason::kFileCorrupt)) << size;
}

TEST_F(ZipArchiveTest, Zip64FieldsReplaceWhatDoesNotFit) {
  std::string sizes = Raw<uint16_t>(1) + Raw<uint16_t>(16) + Raw<uint64_t>(4) + Raw<uint64_t>(4);
  std::string other = Raw<uint16_t>(0x5455) + Raw<uint16_t>(1) + "x";
  ASSERT_OK_AND_ASSIGN(ZipArchive archive,
                       Open(MakeZip({{.name = "a", .bytes = "text", .said_size = kIn64, .extra = other + sizes}})));
  ASSERT_OK_AND_ASSIGN(absl::string_view bytes, archive.Read("a"));
  EXPECT_EQ(bytes, "text");

  std::string offset = Raw<uint16_t>(1) + Raw<uint16_t>(8) + Raw<uint64_t>(0);
  ASSERT_OK_AND_ASSIGN(archive, Open(MakeZip({{.name = "a", .bytes = "text", .said_offset = kIn64, .extra = offset}})));
  ASSERT_OK_AND_ASSIGN(bytes, archive.Read("a"));
  EXPECT_EQ(bytes, "text");
}

TEST_F(ZipArchiveTest, DamagedZip64FieldsAreCorrupt) {
  const std::string huge = Raw<uint64_t>(~uint64_t{0});
  const std::vector<std::string> extras = {
      "",
      Raw<uint16_t>(1),
      Raw<uint16_t>(1) + Raw<uint16_t>(16),
      Raw<uint16_t>(1) + Raw<uint16_t>(4) + "1234",
      Raw<uint16_t>(1) + Raw<uint16_t>(8) + Raw<uint64_t>(4),
      Raw<uint16_t>(1) + Raw<uint16_t>(16) + huge + huge,
      Raw<uint16_t>(7) + Raw<uint16_t>(65535) + huge,
  };
  for (size_t i = 0; i < extras.size(); ++i) {
    EXPECT_THAT(Open(MakeZip({{.name = "a", .bytes = "text", .said_size = kIn64, .extra = extras[i]}})),
                IsError(kInvalid, reason::kFileCorrupt))
        << i;
  }
  EXPECT_THAT(
      Open(MakeZip(
          {{.name = "a", .bytes = "text", .said_offset = kIn64, .extra = Raw<uint16_t>(1) + Raw<uint16_t>(8) + huge}})),
      IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, AZip64DirectoryOutsideTheFileIsCorrupt) {
  for (uint64_t record : {uint64_t{0}, uint64_t{1} << 40, ~uint64_t{0}, ~uint64_t{0} - 55}) {
    std::string locator = Raw<uint32_t>(0x07064b50) + Raw<uint32_t>(0) + Raw(record) + Raw<uint32_t>(1);
    EXPECT_THAT(Open(std::string(60, ' ') + locator + ZipEnd(0xffff, kIn64, kIn64)),
                IsError(kInvalid, reason::kFileCorrupt))
        << record;
  }
}

TEST_F(ZipArchiveTest, AnEndlessDirectoryIsCorrupt) {
  std::string record = Raw<uint32_t>(0x06064b50) + std::string(28, '\0') + Raw<uint64_t>(~uint64_t{0}) +
                       Raw<uint64_t>(0) + Raw<uint64_t>(0);
  std::string locator = Raw<uint32_t>(0x07064b50) + Raw<uint32_t>(0) + Raw<uint64_t>(0) + Raw<uint32_t>(1);
  EXPECT_THAT(Open(record + locator + ZipEnd(0xffff, kIn64, kIn64)), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, EntriesOutsideTheFileAreCorrupt) {
  EXPECT_THAT(Open(MakeZip({{.name = "a", .bytes = "text", .said_size = 4096}})),
              IsError(kInvalid, reason::kFileCorrupt));
  for (uint32_t offset : {1U, 35U, 1U << 30, kIn64 - 1}) {
    EXPECT_THAT(Open(MakeZip({{.name = "a", .bytes = "text", .said_offset = offset}})),
                IsError(kInvalid, reason::kFileCorrupt))
        << offset;
  }
}

TEST_F(ZipArchiveTest, ANameThatStandsTwiceIsCorrupt) {
  EXPECT_THAT(Open(MakeZip({{.name = "a", .bytes = "1"}, {.name = "a", .bytes = "2"}})),
              IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, EntriesThatOverlapAreCorrupt) {
  const ZipMember first{.name = "a", .bytes = "text"};
  const uint32_t second = 30 + 1 + 4;
  auto shared =
      Open(MakeZip({first, {.name = "b", .bytes = "text"}, {.name = "c", .bytes = "", .said_offset = second}}));
  EXPECT_THAT(shared, IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(shared, MessageHas("overlap"));

  const std::string inner = MakeZip({{.name = "b", .bytes = "text"}});  // a local entry inside another's bytes
  EXPECT_THAT(
      Open(MakeZip({{.name = "a", .bytes = inner}, {.name = "b", .bytes = "", .said_size = 4, .said_offset = 31}})),
      IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ZipArchiveTest, CompressedAndEncryptedEntriesAreUnsupportedAndNamed) {
  for (const ZipMember& member : {ZipMember{.name = "packed", .bytes = "x", .method = 8},
                                  ZipMember{.name = "packed", .bytes = "x", .flags = 1}}) {
    auto archive = Open(MakeZip({member}));
    EXPECT_THAT(archive, IsError(kInvalid, reason::kFileUnsupported));
    EXPECT_THAT(archive, MessageHas("packed"));
  }
}

TEST_F(ZipArchiveTest, NoFlippedBitHarms) {
  std::string whole = BytesOf(Fixture("without_checksums.pt"));
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
    auto archive = Open(damaged);
    if (!archive.ok()) {
      ASSERT_EQ(archive.status().code(), kInvalid) << i << " " << archive.status();
      continue;
    }
    for (const auto& [name, entry] : archive->entries()) {
      auto bytes = archive->Read(name);
      ASSERT_LE(entry.offset + entry.size, damaged.size()) << i;
      if (bytes.ok()) (void)std::string(*bytes);  // touches every byte
    }
  }
}

}  // namespace
}  // namespace superpose
