// Compressed bytes unfolded, piece by piece as they are read.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose::cli {

class Unfolder {
 public:
  virtual ~Unfolder() = default;
  // Reads from `input`, which it shortens by what it took, and writes at most `size` bytes at `out`; how many. 0: it
  // took all of the input and wants more. INVALID_ARGUMENT / FILE_CORRUPT for what is not of this form,
  // FILE_UNSUPPORTED for a zstd window over 128 MiB; RESOURCE_EXHAUSTED / OUT_OF_MEMORY. The message goes on after the
  // file's name.
  virtual absl::StatusOr<size_t> Unfold(absl::string_view* input, char* out, size_t size) = 0;
  // Whether the input may end here: not inside of compressed data, nor before the first.
  virtual bool MayEnd() const = 0;
};

// One gzip member after the other; zeros may stand after one, as on tapes.
absl::StatusOr<std::unique_ptr<Unfolder>> UnfoldGzip();
// One zstd frame after the other.
absl::StatusOr<std::unique_ptr<Unfolder>> UnfoldZstd();

}  // namespace superpose::cli
