#include "server/services/tensor_chunks.h"

#include <algorithm>

#include "lib/base/error.h"
#include "proto/crc32c.h"
#include "server/runtime/reasons.h"
#include "server/runtime/tensor_info.h"

namespace superpose {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

}  // namespace

absl::StatusOr<TensorChunks> TensorChunks::Create(TensorSelection selection, int64_t offset) {
  if (offset < 0 || offset > selection.bytes() || offset % selection.element_size() != 0) {
    return InvalidArgument(reason::kSliceOutOfRange, "start_offset is ", offset, ": it must be in 0 .. ",
                           selection.bytes(), " and a multiple of ", selection.element_size());
  }
  return TensorChunks(std::move(selection), offset);
}

void TensorChunks::Next(v1::TensorChunk* chunk) {
  const int64_t size = std::min(kChunkBytes, selection_.bytes() - next_offset_);
  chunk->clear_data_type();
  chunk->clear_shape();
  if (std::exchange(first_, false)) {
    chunk->set_data_type(DataTypeOf(selection_.tensor()));
    for (const int64_t dimension : selection_.shape()) chunk->add_shape(dimension);
  }
  chunk->set_offset(next_offset_);
  chunk->set_data(selection_.Copy(next_offset_, size));
  chunk->set_crc32c(Crc32c(chunk->data()));
  next_offset_ += size;
}

}  // namespace superpose
