#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// What a file of Dunefsky's transcoder_circuits holds: {"cfg": pickled config object, "state_dict": ..}.
struct DunefskyFile {
  TensorMap tensors;   // W_enc, b_enc, W_dec, b_dec, b_dec_out, and log_sparsity where its file is given
  int64_t layer = -1;  // cfg.hook_point_layer
};

// Shapes and values are checked. Errors: Transcoder::Load. May throw what LibTorch throws.
absl::StatusOr<DunefskyFile> ReadDunefsky(const TranscoderFiles& files);

}  // namespace superpose
