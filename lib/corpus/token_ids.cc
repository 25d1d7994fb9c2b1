#include "lib/corpus/token_ids.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "lib/base/error.h"

namespace superpose {
namespace {

template <typename Integer>
void ReadIds(const void* ids, int64_t begin, int64_t count, int64_t* out) {
  const auto widen = [](Integer narrow) { return static_cast<int64_t>(narrow); };
  const char* next = static_cast<const char*>(ids) + begin * static_cast<int64_t>(sizeof(Integer));
  for (int64_t i = 0; i < count; ++i, next += sizeof(Integer)) {
    Integer id;
    std::memcpy(&id, next, sizeof id);
    out[i] = widen(id);
  }
}

using Reader = void (*)(const void* ids, int64_t begin, int64_t count, int64_t* out);

// Null for what is no integer.
Reader ReaderOf(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return ReadIds<uint8_t>;
    case at::kChar:
      return ReadIds<int8_t>;
    case at::kShort:
      return ReadIds<int16_t>;
    case at::kInt:
      return ReadIds<int32_t>;
    case at::kLong:
      return ReadIds<int64_t>;
    case at::kUInt16:
      return ReadIds<uint16_t>;
    case at::kUInt32:
      return ReadIds<uint32_t>;
    case at::kUInt64:
      return ReadIds<uint64_t>;
    default:
      return nullptr;
  }
}

}  // namespace

absl::StatusOr<TokenIds> TokenIds::Create(std::shared_ptr<const void> owner, const void* data, int64_t count,
                                          at::ScalarType type) {
  const Reader read = ReaderOf(type);
  if (read == nullptr) {
    return InvalidArgument(reason::kFileUnsupported, "token ids must be integers, not ", c10::toString(type),
                           ": save them as numpy.save(path, ids.astype(numpy.uint16)), or uint32 for a vocabulary "
                           "over 65536");
  }
  TokenIds ids;
  if (count > 0) ids.pieces_.push_back({std::move(owner), data, 0, count, read});
  ids.size_ = count;
  return ids;
}

TokenIds TokenIds::Join(const std::vector<TokenIds>& rows) {
  TokenIds joined;
  for (const TokenIds& row : rows) {
    for (Piece piece : row.pieces_) {
      piece.start += joined.size_;
      joined.pieces_.push_back(std::move(piece));
    }
    joined.size_ += row.size_;
  }
  return joined;
}

void TokenIds::Read(int64_t begin, int64_t count, int64_t* out) const {
  if (count == 0) return;
  auto after = [](int64_t position, const Piece& piece) { return position < piece.start; };
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), begin, after) - 1;
  for (; count > 0; ++piece) {
    const int64_t inside = begin - piece->start;
    const int64_t taken = std::min(count, piece->count - inside);
    piece->read(piece->data, inside, taken, out);
    begin += taken;
    count -= taken;
    out += taken;
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
