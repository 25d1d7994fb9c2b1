#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/transcoder/transcoder_memory.h"

namespace superpose {

struct TranscoderOnDisk {
  TranscoderShape shape;  // d_model, d_sae
  bool in_float32 = true;
};

// What there is of a transcoder on disk, a Dunefsky .pt file or a SAELens folder, from the shape of W_enc: weights
// are not looked at. Errors: those of the file; TENSOR_MISSING.
absl::StatusOr<TranscoderOnDisk> ReadTranscoderShape(const std::string& path);

}  // namespace superpose
