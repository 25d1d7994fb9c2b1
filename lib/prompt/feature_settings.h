// What an intervention sets features to, and what that adds to an MLP's output.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

struct FeatureSetting {
  int64_t feature_id = 0;
  float value = 0;  // its activation, 0 or more
  // Of every sequence; empty: all but BOS (position 0 when its token is the BOS).
  std::vector<int32_t> positions = {};
};

// Settings of one transcoder's features.
struct TranscoderSettings {
  int64_t layer = 0;
  const Transcoder* transcoder = nullptr;
  std::vector<FeatureSetting> settings;
};

// INVALID_ARGUMENT: LAYER_OUT_OF_RANGE; TRANSCODER_MISMATCH; FEATURE_OUT_OF_RANGE; EMPTY_INPUT without settings;
// CONFIG_INVALID for a value that is negative or not finite, a position that a sequence does not have, and a feature
// that is set twice at one position.
absl::Status CheckSettings(const Model& model, const std::vector<TokenSequence>& sequences,
                           const TranscoderSettings& settings);

// Where the tokens of a batch stand; one entry a token, on the model's device.
struct TokenPlaces {
  at::Tensor positions;  // int64
  at::Tensor is_bos;     // bool
};
TokenPlaces PlacesOf(const Model& model, const PaddedBatch& batch);

// (value - activation) W_dec, summed over the settings that hold at a token: float32 [tokens, d_model]. `z` are the
// transcoder's activations at the tokens. May throw what LibTorch throws.
at::Tensor OutputChange(const TranscoderSettings& settings, const SparseActivations& z, const TokenPlaces& places);

}  // namespace superpose
