// Feature activations that several callers ask for, from one forward pass.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"
#include "lib/transcoder/feature_activations.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// What one caller asks for.
struct ActivationsTask {
  std::vector<TokenSequence> sequences;
  std::vector<LayerTranscoder> layers;
};

// For each task what ComputeFeatureActivations would return for it alone, but for rounding. All sequences go through
// the model together, without padding; those of a task leave it after the last layer that the task asks for. Each
// transcoder encodes the rows of the tasks that ask for it, once. Errors, which are of all tasks: those of
// ComputeFeatureActivations.
absl::StatusOr<std::vector<std::vector<SparseActivations>>> ComputeJoinedActivations(
    const Model& model, const std::vector<ActivationsTask>& tasks);

}  // namespace superpose
