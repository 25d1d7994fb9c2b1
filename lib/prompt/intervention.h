// What a change of features does to a model's predictions.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"
#include "lib/prompt/feature_settings.h"
#include "lib/prompt/prediction_change.h"

namespace superpose {

enum class InterventionMode {
  // The MLP's own output plus (value - activation) W_dec, at the positions where a feature is set.
  kDelta,
  // The transcoder's output in place of the MLP's, at every position, BOS too, with the features set.
  kReplace,
};

struct Intervention {
  InterventionMode mode = InterventionMode::kDelta;
  // Layers act in order: a later layer's activations are those after the earlier settings.
  std::vector<TranscoderSettings> transcoders;
};

// INVALID_ARGUMENT: those of CheckSequences and CheckSettings; EMPTY_INPUT without settings; CONFIG_INVALID for two
// transcoders that are to replace the same MLP, and for a transcoder that stands twice.
absl::Status CheckIntervention(const Model& model, const std::vector<TokenSequence>& sequences,
                               const Intervention& intervention);

// Runs the model twice, as it is and with the settings. Setting a feature to the activation that it has anyway changes
// nothing in mode kDelta, to the last bit. Effects have the top_k of the vocabulary, or all of it where it has fewer;
// CONFIG_INVALID for a negative top_k, and for settings so large that float32 does not hold what follows from them: it
// names the largest. Errors besides: CheckIntervention.
absl::StatusOr<PredictionChange> Intervene(const Model& model, const std::vector<TokenSequence>& sequences,
                                           const Intervention& intervention, int64_t top_k);

}  // namespace superpose
