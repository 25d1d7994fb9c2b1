// Reading and writing .safetensors files (https://github.com/huggingface/safetensors, "Format").
#pragma once

#include <ATen/core/Tensor.h>

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

// Writes atomically (lib/base/atomic_file.h). Tensors on other devices or not contiguous are copied one at a time.
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors, const StringMap& metadata);

}  // namespace superpose
