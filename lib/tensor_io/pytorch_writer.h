// Writing PyTorch checkpoints (torch.save, zip format) of tensors and plain values: what torch.load opens with
// weights_only=True as well as without.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace superpose {

// A state dict, in the order in which it is written: an OrderedDict.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
// None, or a value of Python's own types.
using PlainValue = std::variant<std::monostate, bool, int64_t, double, std::string>;
using PlainDict = std::vector<std::pair<std::string, PlainValue>>;
// What lies at the top of the file, by key: {"weights": OrderedDict, "config": dict}.
using CheckpointDict = std::vector<std::pair<std::string, std::variant<NamedTensors, PlainDict>>>;

// Writes atomically (lib/base/atomic_file.h). Each tensor becomes a contiguous CPU tensor with a storage of its own;
// tensors on other devices or not contiguous are copied one at a time. The same content gives the same bytes. Errors:
// FILE_WRITE_FAILED, FILE_UNSUPPORTED (an element type without a storage class in PyTorch's format).
absl::Status WritePytorchFile(const std::string& path, const CheckpointDict& content);

}  // namespace superpose
