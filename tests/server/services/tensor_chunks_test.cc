#include "server/services/tensor_chunks.h"

#include <ATen/ATen.h>

#include <cstring>

#include "lib/base/error.h"
#include "proto/crc32c.h"
#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

absl::StatusOr<TensorChunks> ChunksOf(const at::Tensor& tensor, int64_t offset = 0) {
  auto selection = TensorSelection::Create(tensor, {});
  if (!selection.ok()) return selection.status();
  return TensorChunks::Create(*std::move(selection), offset);
}

// What the chunks hold together.
std::string Read(TensorChunks* chunks, int64_t offset) {
  std::string bytes;
  v1::TensorChunk chunk;  // the same every time, as a stream's is
  for (bool first = true; !chunks->done(); first = false) {
    chunks->Next(&chunk);
    EXPECT_EQ(chunk.offset(), offset + static_cast<int64_t>(bytes.size()));
    EXPECT_LE(static_cast<int64_t>(chunk.data().size()), kMiB);
    EXPECT_EQ(chunk.crc32c(), Crc32c(chunk.data()));
    EXPECT_EQ(chunk.data_type(), first ? v1::DATA_TYPE_FLOAT32 : v1::DATA_TYPE_UNSPECIFIED);
    EXPECT_EQ(chunk.shape_size(), first ? 2 : 0);
    bytes += chunk.data();
  }
  return bytes;
}

std::string BytesOf(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

TEST(TensorChunksTest, ALargeTensorIsCutIntoMebibytes) {
  const at::Tensor tensor = at::rand({1000, 700});  // 2.67 MiB
  ASSERT_OK_AND_ASSIGN(TensorChunks chunks, ChunksOf(tensor));
  EXPECT_EQ(Read(&chunks, 0), BytesOf(tensor));
}

TEST(TensorChunksTest, ReadingGoesOnAtAnOffset) {
  const at::Tensor tensor = at::rand({1000, 700});
  const int64_t offset = kMiB + 4;
  ASSERT_OK_AND_ASSIGN(TensorChunks chunks, ChunksOf(tensor, offset));
  EXPECT_EQ(Read(&chunks, offset), BytesOf(tensor).substr(offset));
}

TEST(TensorChunksTest, AWholeNumberOfChunksEndsWithTheLast) {
  ASSERT_OK_AND_ASSIGN(TensorChunks chunks, ChunksOf(at::zeros({512, 1024})));
  v1::TensorChunk chunk;
  chunks.Next(&chunk);
  EXPECT_FALSE(chunks.done());
  chunks.Next(&chunk);
  EXPECT_TRUE(chunks.done());
}

TEST(TensorChunksTest, WhereNothingIsLeftThereIsOneEmptyChunk) {
  for (const int64_t offset : {0, 24}) {
    ASSERT_OK_AND_ASSIGN(TensorChunks chunks, ChunksOf(at::zeros({offset == 0 ? 0 : 2, 3}), offset));
    EXPECT_FALSE(chunks.done());
    v1::TensorChunk chunk;
    chunks.Next(&chunk);
    EXPECT_EQ(chunk.data(), "");
    EXPECT_EQ(chunk.data_type(), v1::DATA_TYPE_FLOAT32);
    EXPECT_TRUE(chunks.done());
  }
}

TEST(TensorChunksTest, OffsetsThatAreNoElementsAreRefused) {
  for (const int64_t offset : {int64_t{-4}, int64_t{2}, int64_t{28}, INT64_MAX}) {
    EXPECT_THAT(ChunksOf(at::zeros({2, 3}), offset),
                IsError(absl::StatusCode::kInvalidArgument, reason::kSliceOutOfRange));
  }
}

}  // namespace
}  // namespace superpose
