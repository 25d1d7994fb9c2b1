#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace superpose {

// Groups of sums; snapshot_layout.h has their tensors.
enum class StatisticsGroup { kFeatures, kPairs, kGates, kPreActivations, kOutputs, kUnits };

// As in the contract: "PAIRS".
absl::string_view NameOf(StatisticsGroup group);

// The gate that is counted: g = 1[mid > 0] of a midcoder, or g = 1[p > 0] of the model's own pre-activations.
enum class GateSource { kMidcoder, kModel };

struct StatisticsOptions {
  // kFeatures is always collected.
  std::set<StatisticsGroup> groups = {StatisticsGroup::kFeatures, StatisticsGroup::kPairs,
                                      StatisticsGroup::kGates,    StatisticsGroup::kPreActivations,
                                      StatisticsGroup::kOutputs,  StatisticsGroup::kUnits};
  // int64 [f] on the CPU, in any order, duplicates allowed; undefined: all features by id.
  at::Tensor feature_ids;
  // int64 [n] on the CPU, no duplicates, each among feature_ids; undefined: those of feature_ids.
  at::Tensor pair_ids;
  GateSource gate = GateSource::kModel;
};

// The widths of one layer.
struct StatisticsShape {
  int64_t d_sae = 0;
  int64_t d_mlp = 0;
  int64_t d_model = 0;
};

}  // namespace superpose
