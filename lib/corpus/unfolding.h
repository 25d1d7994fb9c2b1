#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mapped_file.h"
#include "lib/corpus/byte_blocks.h"

namespace superpose {

// What gzip and zstd have in common: input that is mapped, output in blocks of 1 MiB, and the limits.
class Unfolding : public ByteBlocks {
 public:
  explicit Unfolding(std::shared_ptr<const MappedFile> file);
  absl::StatusOr<absl::string_view> Next() final;

 protected:
  // Reads from `input`, which it shortens by what it took, and writes at `out`; how many bytes. 0 only at the end of a
  // file that is whole.
  virtual absl::StatusOr<size_t> Unfold(absl::string_view* input, char* out, size_t size) = 0;
  absl::Status Corrupt(absl::string_view what) const;
  const MappedFile& file() const { return *file_; }

 private:
  absl::Status CheckLimits() const;

  const std::shared_ptr<const MappedFile> file_;
  absl::string_view input_;
  int64_t unfolded_ = 0;
  std::string block_;
};

absl::StatusOr<std::unique_ptr<ByteBlocks>> UnfoldGzip(std::shared_ptr<const MappedFile> file);
absl::StatusOr<std::unique_ptr<ByteBlocks>> UnfoldZstd(std::shared_ptr<const MappedFile> file);

}  // namespace superpose
