// What every pass over a corpus checks before it starts.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "lib/model/model.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// LAYER_OUT_OF_RANGE; TRANSCODER_MISMATCH when the transcoder has another d_model or is on another device.
absl::Status CheckLayerInputs(const Model& model, const Transcoder& transcoder, int64_t layer);

// batch_size sequences of `length` tokens, both 1 or more: CONTEXT_EXCEEDED when the model cannot take one,
// CONFIG_INVALID when they are more tokens than can be counted.
absl::Status CheckBatch(const Model& model, int64_t batch_size, int64_t length);

}  // namespace superpose
