// Reading and writing .safetensors files (https://github.com/huggingface/safetensors, "Format").
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"

namespace superpose {

// Tensors by name, in name order.
using TensorMap = std::map<std::string, at::Tensor>;
using StringMap = std::map<std::string, std::string>;

// A file mapped into memory. Tensors alias the mapping (CPU, contiguous, never to be written to) and keep it alive.
class SafetensorsFile {
 public:
  // Checks the whole header before anything is believed: length, JSON, dtypes, shapes, offsets inside the file, no
  // overlap and no gap. Errors: FILE_NOT_FOUND, FILE_CORRUPT, FILE_UNSUPPORTED (a dtype LibTorch has no equal of).
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  // The tensor, zero-copy; TENSOR_MISSING lists the nearest names.
  absl::StatusOr<at::Tensor> Tensor(const std::string& name) const;
  const TensorMap& tensors() const { return tensors_; }
  const StringMap& metadata() const { return metadata_; }  // the header's __metadata__

 private:
  SafetensorsFile(TensorMap tensors, StringMap metadata)
      : tensors_(std::move(tensors)), metadata_(std::move(metadata)) {}
  TensorMap tensors_;
  StringMap metadata_;
};

// Asked before each tensor of a file that is being written: an error of it ends the writing.
using KeepWriting = std::function<absl::Status()>;

// Writes atomically (lib/base/atomic_file.h). Tensors on other devices or not contiguous are copied one at a time.
// Errors: those of AtomicFile and of `keep_writing`, which may be null; FILE_UNSUPPORTED, INVALID_UTF8.
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors, const StringMap& metadata,
                              const KeepWriting& keep_writing = nullptr);

}  // namespace superpose
