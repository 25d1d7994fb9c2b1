// What jobs that collect statistics take in memory, from what the server holds, and what would fit where they do not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/midcoder.pb.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose {

// Of specs with every default filled in; `midcoders` are those that the spec names. Errors: those of
// FindStatisticsHandles and StatisticsOptionsFor.
absl::StatusOr<MemoryEstimate> EstimateCollection(const ModelRegistry& registry,
                                                  const std::vector<v1::Midcoder>& midcoders,
                                                  const v1::StatisticsSpec& spec);
// Of all snapshots that result, midcoders' parameters included.
absl::StatusOr<int64_t> EstimateSnapshotBytes(const ModelRegistry& registry, const std::vector<v1::Midcoder>& midcoders,
                                              const v1::StatisticsSpec& spec);
// What of a collection would fit in `room` bytes, in words: without pairs, of fewer features, or of fewer groups.
std::string CollectionThatFits(const ModelRegistry& registry, const std::vector<v1::Midcoder>& midcoders,
                               const v1::StatisticsSpec& spec, int64_t room);

}  // namespace superpose
