#include "lib/corpus/token_ids.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <array>
#include <utility>

#include "lib/base/error.h"

namespace superpose {
namespace {

template <typename Integer>
void ReadIds(const void* ids, int64_t begin, int64_t count, int64_t* out) {
  const Integer* first = static_cast<const Integer*>(ids) + begin;
  std::transform(first, first + count, out, [](Integer id) { return static_cast<int64_t>(id); });
}

}  // namespace

absl::StatusOr<TokenIds> TokenIds::Create(at::Tensor ids) {
  switch (ids.scalar_type()) {
    case at::kByte:
      return TokenIds(std::move(ids), ReadIds<uint8_t>);
    case at::kChar:
      return TokenIds(std::move(ids), ReadIds<int8_t>);
    case at::kShort:
      return TokenIds(std::move(ids), ReadIds<int16_t>);
    case at::kInt:
      return TokenIds(std::move(ids), ReadIds<int32_t>);
    case at::kLong:
      return TokenIds(std::move(ids), ReadIds<int64_t>);
    case at::kUInt16:
      return TokenIds(std::move(ids), ReadIds<uint16_t>);
    case at::kUInt32:
      return TokenIds(std::move(ids), ReadIds<uint32_t>);
    case at::kUInt64:
      return TokenIds(std::move(ids), ReadIds<uint64_t>);
    default:
      return InvalidArgument(reason::kFileUnsupported, "token ids must be integers, not ",
                             c10::toString(ids.scalar_type()));
  }
}

absl::Status TokenIds::Check(int64_t vocab_size) const {
  std::array<int64_t, 4096> block;
  for (int64_t begin = 0; begin < size(); begin += block.size()) {
    const int64_t count = std::min<int64_t>(block.size(), size() - begin);
    Read(begin, count, block.data());
    for (int64_t i = 0; i < count; ++i) {
      if (block[i] >= 0 && block[i] < vocab_size) continue;
      return InvalidArgument(reason::kTokenOutOfRange, "token id ", block[i], " at position ", begin + i,
                             " is not in 0 .. ", vocab_size - 1);
    }
  }
  return absl::OkStatus();
}

}  // namespace superpose
