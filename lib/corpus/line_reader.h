#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/corpus/byte_blocks.h"

namespace superpose {

// Most bytes of one document that must be put together in memory.
inline constexpr int64_t kMostDocumentBytes = int64_t{2} << 30;

// Lines of a file, however its blocks fall.
class LineReader {
 public:
  // `blocks` must outlive it.
  explicit LineReader(ByteBlocks* blocks) : blocks_(blocks) {}

  // The next line, without its '\n', valid until the next call; nothing at the end. FILE_UNSUPPORTED when one is longer
  // than kMostDocumentBytes; errors of the blocks.
  absl::StatusOr<std::optional<absl::string_view>> Next();

 private:
  ByteBlocks* const blocks_;
  absl::string_view block_;
  std::string line_;  // one that began in a block before
};

}  // namespace superpose
