#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/transcoder/transcoder_file.h"

namespace superpose {

// Whether the folder holds cfg.json and sae_weights.safetensors. FILE_NOT_FOUND where that cannot be told.
absl::StatusOr<bool> IsSaeLensFolder(const std::string& folder);

// A folder as SAELens saves it: cfg.json, sae_weights.safetensors. Architectures transcoder, skip_transcoder,
// jumprelu_transcoder and jumprelu_skip_transcoder: z = relu(x W_enc + b_enc), for jumprelu only where the
// pre-activation is above the threshold; y = z W_dec + b_dec, with a skip + x W_skip^T. x is the MLP's input, by
// default after the gain; y stands for the output, not centred. The scale of normalize_activations
// expected_average_only_in, by which x and y were multiplied in training, is that of activation_scaler.json. Errors:
// ReadTranscoderFile. May throw what LibTorch throws.
absl::StatusOr<TranscoderFile> ReadSaeLens(const std::string& folder);

}  // namespace superpose
