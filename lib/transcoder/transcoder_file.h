// Transcoder files on disk, whatever their format, in one shape.
//
// A file is recognised by what is there, never by the name of its folder: a folder with cfg.json and
// sae_weights.safetensors is SAELens's, a file is taken for one of transcoder_circuits (Dunefsky). What a format can
// say and Superpose cannot compute exactly is refused by name (TRANSCODER_UNSUPPORTED); nothing is loaded in part.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/convention.h"

namespace superpose {

struct TranscoderFiles {
  std::string path;               // a Dunefsky .pt file or a SAELens folder
  std::string log_sparsity_path;  // tensor [d_sae] of log10 feature frequencies (.pt or .safetensors), or "" for the
                                  // one that lies beside the weights, if there is one
};

struct TranscoderFile {
  std::string format;               // "dunefsky" or "saelens"
  int64_t layer = -1;               // the layer it says that it was trained on, or -1
  TranscoderConvention convention;  // as the file has it; nothing is folded yet
  // In the file's own precision, by their names in memory (transcoder.h) and [in, out]: W_enc [d_model, d_sae], b_enc
  // [d_sae], W_dec [d_sae, d_model], b_dec_out [d_model]; b_dec [d_model] where it is subtracted from the input, W_skip
  // [d_model, d_model] where there is a skip, threshold [d_sae] for jumprelu, log_sparsity [d_sae] where it is known.
  TensorMap tensors;
};

// Shapes and values are checked. Errors: FILE_NOT_FOUND, FILE_CORRUPT, FILE_UNSUPPORTED, TENSOR_MISSING,
// TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE, TRANSCODER_UNSUPPORTED.
absl::StatusOr<TranscoderFile> ReadTranscoderFile(const TranscoderFiles& files);

}  // namespace superpose
