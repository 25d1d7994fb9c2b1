#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/transcoder/transcoder_file.h"

namespace superpose {

// A file of Dunefsky's transcoder_circuits: {"cfg": pickled config object, "state_dict": W_enc, b_enc, W_dec, b_dec,
// b_dec_out}. It reads x_hat before the gain, subtracts b_dec from it, and was trained on a model whose MLP output is
// centred. Shapes and values are checked. Errors: ReadTranscoderFile. May throw what LibTorch throws.
absl::StatusOr<TranscoderFile> ReadDunefsky(const std::string& path);

}  // namespace superpose
