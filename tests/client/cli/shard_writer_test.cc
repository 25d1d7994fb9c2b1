#include "client/cli/shard_writer.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/cpp/errors.h"
#include "gmock/gmock.h"
#include "lib/tensor_io/npy.h"
#include "tests/client/matchers.h"
#include "tests/support/test_folder.h"

namespace superpose::cli {
namespace {

using client::FailsWith;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int64_t> IdsIn(const std::string& path, at::ScalarType type) {
  const auto array = ReadNpy(path);
  EXPECT_OK(array);
  if (!array.ok()) return {};
  EXPECT_EQ(array->scalar_type(), type);
  const at::Tensor ids = array->to(at::kLong);
  return {ids.const_data_ptr<int64_t>(), ids.const_data_ptr<int64_t>() + ids.numel()};
}

class ShardWriterTest : public ::testing::Test {
 protected:
  std::vector<std::string> FileNames(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  TestFolder folder_;
};

TEST_F(ShardWriterTest, AFileIsWhatNumPyReads) {
  for (const bool wide : {false, true}) {
    const std::string path = folder_.File(wide ? "wide.npy" : "narrow.npy");
    ASSERT_OK_AND_ASSIGN(const auto writer, ShardWriter::Create(path, wide, 2));
    ASSERT_OK(writer->Write({1, 258}));
    ASSERT_OK(writer->Write({}));
    ASSERT_OK(writer->Write({50'000, 3}));
    ASSERT_OK(writer->Finish());
    EXPECT_THAT(IdsIn(path, wide ? at::kUInt32 : at::kUInt16), ElementsAre(1, 258, 50'000, 3));
    EXPECT_THAT(writer->paths(), ElementsAre(path)) << "one file has no most";
    EXPECT_EQ(writer->tokens(), 4);
  }
}

TEST_F(ShardWriterTest, AFolderHasShardsOfTheSizeThatWasAskedFor) {
  ASSERT_OK_AND_ASSIGN(const auto writer, ShardWriter::Create(folder_.File("new/shards"), false, 3));
  ASSERT_OK(writer->Write({1, 2}));
  ASSERT_OK(writer->Write({3, 4, 5, 6, 7}));
  ASSERT_OK(writer->Finish());
  ASSERT_EQ(writer->paths().size(), 3U);
  EXPECT_THAT(IdsIn(folder_.File("new/shards/tokens-00000.npy"), at::kUInt16), ElementsAre(1, 2, 3));
  EXPECT_THAT(IdsIn(folder_.File("new/shards/tokens-00001.npy"), at::kUInt16), ElementsAre(4, 5, 6));
  EXPECT_THAT(IdsIn(folder_.File("new/shards/tokens-00002.npy"), at::kUInt16), ElementsAre(7));
}

TEST_F(ShardWriterTest, NoTokensAreNoFile) {
  ASSERT_OK_AND_ASSIGN(const auto writer, ShardWriter::Create(folder_.File("shards"), false, 3));
  ASSERT_OK(writer->Write({}));
  ASSERT_OK(writer->Finish());
  EXPECT_THAT(writer->paths(), IsEmpty());
}

TEST_F(ShardWriterTest, WithoutAnEndNothingIsLeft) {
  ASSERT_OK_AND_ASSIGN(auto writer, ShardWriter::Create(folder_.File("shards"), false, 2));
  ASSERT_OK(writer->Write({1, 2, 3}));
  writer.reset();
  EXPECT_THAT(FileNames(folder_.File("shards")), ElementsAre("tokens-00000.npy"));
}

TEST_F(ShardWriterTest, WhatIsThereIsNotWrittenOver) {
  const auto failed = FailsWith(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED");
  EXPECT_THAT(ShardWriter::Create(folder_.Write("a.npy", ""), false, 1), failed);
  EXPECT_THAT(ShardWriter::Create(folder_.path(), false, 1), failed);
  EXPECT_THAT(ShardWriter::Create(folder_.File("a.npy/inside"), false, 1), failed);
}

}  // namespace
}  // namespace superpose::cli
