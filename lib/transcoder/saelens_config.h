#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/transcoder/convention.h"

namespace superpose {

// What the cfg.json of a SAELens transcoder says, of version 6 (fields of the model under "metadata") or older (all in
// one).
struct SaeLensConfig {
  int64_t d_in = 0;
  int64_t d_sae = 0;
  int64_t layer = -1;  // of its hooks; -1 where they are not named
  bool has_skip = false;
  TranscoderActivation activation = TranscoderActivation::kRelu;
  // Nothing where the file leaves it open.
  std::optional<TranscoderInput> input;
  bool centred_target = false;  // trained on a model with center_writing_weights
  bool scales_input = false;    // normalize_activations is expected_average_only_in
};

// FILE_CORRUPT where it is no config; TRANSCODER_UNSUPPORTED names the first field whose value cannot be represented.
absl::StatusOr<SaeLensConfig> ReadSaeLensConfig(const std::string& path);

}  // namespace superpose
