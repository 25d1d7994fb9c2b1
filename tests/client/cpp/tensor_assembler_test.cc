#include "client/cpp/tensor_assembler.h"

#include <limits>
#include <string>
#include <vector>

#include "proto/crc32c.h"
#include "tests/client/matchers.h"

namespace superpose::client {
namespace {

v1::TensorChunk Chunk(int64_t offset, const std::string& data) {
  v1::TensorChunk chunk;
  chunk.set_offset(offset);
  chunk.set_data(data);
  chunk.set_crc32c(Crc32c(data));
  return chunk;
}

// The first chunk of a stream of int32 [shape].
v1::TensorChunk First(int64_t offset, const std::string& data, const std::vector<int64_t>& shape = {3}) {
  v1::TensorChunk chunk = Chunk(offset, data);
  chunk.set_data_type(v1::DATA_TYPE_INT32);
  chunk.mutable_shape()->Assign(shape.begin(), shape.end());
  return chunk;
}

TEST(TensorAssemblerTest, ChunksAreJoinedInOrder) {
  TensorAssembler assembler;
  EXPECT_FALSE(assembler.complete());
  EXPECT_OK(assembler.Add(First(0, "aaaab")));
  EXPECT_FALSE(assembler.complete());
  EXPECT_OK(assembler.Add(Chunk(5, "bbbcccc")));
  ASSERT_TRUE(assembler.complete());
  Tensor tensor = assembler.Take();
  EXPECT_EQ(tensor.bytes, "aaaabbbbcccc");
  EXPECT_EQ(tensor.data_type, v1::DATA_TYPE_INT32);
  EXPECT_THAT(tensor.shape, ::testing::ElementsAre(3));
}

TEST(TensorAssemblerTest, ASecondStreamGoesOnWhereTheFirstBroke) {
  TensorAssembler assembler;
  EXPECT_OK(assembler.Add(First(0, "aaaab")));
  EXPECT_EQ(assembler.received(), 5);
  assembler.BeginStream();
  EXPECT_OK(assembler.Add(First(5, "bbbcccc")));
  EXPECT_TRUE(assembler.complete());
  EXPECT_EQ(assembler.Take().bytes, "aaaabbbbcccc");
}

TEST(TensorAssemblerTest, ATensorWithoutElementsIsCompleteAtOnce) {
  TensorAssembler assembler;
  EXPECT_OK(assembler.Add(First(0, "", {0, 7})));
  EXPECT_TRUE(assembler.complete());
}

TEST(TensorAssemblerTest, ADamagedChunkIsRefusedAndWhatWasTakenStays) {
  TensorAssembler assembler;
  EXPECT_OK(assembler.Add(First(0, "aaaa")));
  v1::TensorChunk damaged = Chunk(4, "bbbb");
  damaged.set_data("bbbc");
  EXPECT_EQ(assembler.Add(damaged).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(assembler.received(), 4);
}

TEST(TensorAssemblerTest, ChunksOutOfPlaceAreRefused) {
  TensorAssembler assembler;
  EXPECT_OK(assembler.Add(First(0, "aaaa")));
  EXPECT_EQ(assembler.Add(Chunk(8, "cccc")).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(assembler.Add(Chunk(0, "aaaa")).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(assembler.Add(Chunk(4, "bbbbccccd")).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(assembler.received(), 4);
}

TEST(TensorAssemblerTest, AnotherTensorInTheSecondStreamIsRefused) {
  TensorAssembler assembler;
  EXPECT_OK(assembler.Add(First(0, "aaaa")));
  assembler.BeginStream();
  EXPECT_THAT(assembler.Add(First(4, "bbbb", {4})), FailsWith(absl::StatusCode::kFailedPrecondition, "INPUT_CHANGED"));
}

TEST(TensorAssemblerTest, ShapesThatCannotBeAreRefused) {
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{-1}, std::vector<int64_t>{std::numeric_limits<int64_t>::max()},
        std::vector<int64_t>{int64_t{1} << 32, int64_t{1} << 32}}) {
    TensorAssembler assembler;
    EXPECT_EQ(assembler.Add(First(0, "aaaa", shape)).code(), absl::StatusCode::kDataLoss);
    EXPECT_FALSE(assembler.complete());
  }
}

TEST(TensorAssemblerTest, AHugeShapeTakesNoMemoryBeforeItsBytesCome) {
  TensorAssembler assembler;
  EXPECT_OK(assembler.Add(First(0, "aaaa", {int64_t{1} << 50})));
  EXPECT_EQ(assembler.received(), 4);
}

TEST(TensorAssemblerTest, AnUnknownElementTypeIsSaidToBeUnknown) {
  TensorAssembler assembler;
  v1::TensorChunk chunk = First(0, "aaaa");
  chunk.set_data_type(static_cast<v1::DataType>(99));
  EXPECT_EQ(assembler.Add(chunk).code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace superpose::client
