#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose {

enum class Compression { kNone, kGzip, kZstd };

// How far a compressed file may unfold: over kFreeBytes at most kMostRatio bytes for each of its own (text has about
// 10), and kMostBytes in all. More is taken for a decompression bomb.
struct UnfoldLimits {
  static constexpr int64_t kFreeBytes = int64_t{16} << 20;
  static constexpr int64_t kMostRatio = 200;
  static constexpr int64_t kMostBytes = int64_t{64} << 30;
};

// The bytes of a file, unfolded where it is compressed, block by block.
class ByteBlocks {
 public:
  // FILE_NOT_FOUND.
  static absl::StatusOr<std::unique_ptr<ByteBlocks>> Open(const std::string& path, Compression compression);
  virtual ~ByteBlocks() = default;

  // The next block, valid until the next call; empty at the end. An uncompressed file is one block. Errors name the
  // file: FILE_CORRUPT for damaged and truncated ones and for those over UnfoldLimits; FILE_UNSUPPORTED for a zstd
  // window over 128 MiB.
  virtual absl::StatusOr<absl::string_view> Next() = 0;
};

}  // namespace superpose
