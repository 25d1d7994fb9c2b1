// Factorization files of the code that this project replaces (transcoder-exploration): torch.save({"weights":
// state_dict, "config": FactorizerConfig}). Its state dict holds factors [m, d], W, whose rows at length 1 are the
// factors, and perhaps b_pre [d]. A later form holds decoder.weight [d, m], whose columns are the factors, and perhaps
// encoder.weight [m, d] and b_pre.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/tensor_io/pytorch_writer.h"

namespace superpose {

// Both float32 [m, d] on the CPU, contiguous.
struct ReferenceFactors {
  at::Tensor parameter;  // W, as it lies in the file
  at::Tensor factors;    // its rows at length 1
};

// Reads without running anything. Encoder and b_pre, an offset of decoders, are checked and left out: factors are
// directions. The config is not looked at. Errors: those of ReadPytorchFile, FILE_UNSUPPORTED (another kind of
// checkpoint, a tensor that no factorizer has, integers), TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE,
// CONFIG_INVALID (a factor of length 0).
absl::StatusOr<ReferenceFactors> ReadReferenceFactors(const std::string& path);

// Writes {"weights": OrderedDict(factors=parameter), "config": dict}; torch.load opens it with weights_only=True as
// well as without. Errors: those of WritePytorchFile.
absl::Status WriteReferenceFactors(const std::string& path, const at::Tensor& parameter, const PlainDict& config);

}  // namespace superpose
