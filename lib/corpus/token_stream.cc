#include "lib/corpus/token_stream.h"

#include <algorithm>

namespace superpose {

DocumentStream::DocumentStream(const TextDocuments* documents, const std::vector<int64_t>& chosen, int64_t eos_token_id)
    : documents_(documents), eos_token_id_(eos_token_id) {
  int64_t next = 0;
  for (const int64_t document : chosen) {
    const int64_t source = documents_->starts[document];
    const int64_t length = documents_->starts[document + 1] - source;
    pieces_.push_back({next, source, length});
    next += length + 1;
  }
}

int64_t DocumentStream::size() const { return pieces_.empty() ? 0 : pieces_.back().start + pieces_.back().length; }

void DocumentStream::Read(int64_t begin, int64_t count, int64_t* out) const {
  auto after = [](int64_t position, const Piece& piece) { return position < piece.start; };
  auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), begin, after) - 1;
  while (count > 0) {
    const int64_t inside = begin - piece->start;
    const int64_t taken = std::min(count, piece->length - inside);
    const auto source = documents_->ids.begin() + piece->source + inside;
    out = std::copy(source, source + taken, out);
    count -= taken;
    begin += taken;
    if (count == 0) return;
    *out++ = eos_token_id_;
    --count;
    ++begin;
    ++piece;
  }
}

}  // namespace superpose
