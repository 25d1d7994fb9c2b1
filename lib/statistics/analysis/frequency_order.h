#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/snapshot_data.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// Features by their frequency, the most frequent first, equal ones by id; a feature's rank is its place, from 0.
struct FrequencyOrder {
  at::Tensor features;  // int64 [known]: ids by rank
  at::Tensor ranks;     // int64 [d_sae] by id; -1 where the frequency is not known
};

// The errors of Log10Frequencies, `snapshot` as there. OUT_OF_MEMORY, COMPUTE_FAILED.
absl::StatusOr<FrequencyOrder> OrderByFrequency(const Transcoder& transcoder, const SnapshotData* snapshot,
                                                FrequencySource by);

}  // namespace superpose
