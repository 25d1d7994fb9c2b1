// Checks what a caller asks of jobs that collect statistics against what the server holds, and fills in every default,
// so that what is queued says all.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/statistics/collector.h"
#include "lib/statistics/statistics_options.h"
#include "server/runtime/job_handles.h"
#include "server/runtime/model_registry.h"
#include "superpose/v1/midcoder.pb.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose {

// Fills in every default. CONFIG_INVALID.
absl::StatusOr<v1::StatisticsOptions> ResolveStatisticsOptions(v1::StatisticsOptions options);

// What resolved options mean for one transcoder. Errors: those of SelectFeatures and of CheckStatisticsOptions.
absl::StatusOr<StatisticsOptions> StatisticsOptionsFor(const v1::StatisticsOptions& options,
                                                       const Transcoder& transcoder, GateSource gate);

// What the spec of a job names. `midcoders` are those that spec.midcoders names, in that order. Errors: those of
// FindTrainingHandles; CONFIG_INVALID when there is not one midcoder for each transcoder; SNAPSHOT_MISMATCH when one
// was trained on another transcoder.
absl::StatusOr<TrainingHandles> FindStatisticsHandles(const ModelRegistry& registry, const v1::StatisticsSpec& spec,
                                                      const std::vector<v1::Midcoder>& midcoders);

// Errors: those of FindStatisticsHandles and StatisticsOptionsFor, CONFIG_INVALID, CONTEXT_EXCEEDED, CORPUS_TOO_SMALL.
absl::StatusOr<v1::StatisticsSpec> ResolveStatisticsSpec(const ModelRegistry& registry,
                                                         const std::vector<v1::Midcoder>& midcoders,
                                                         v1::StatisticsSpec spec);

// What a resolved spec tells the collector, but for the midcoders: those it gets have no parameters yet.
absl::StatusOr<CollectorInputs> CollectorInputsFor(const TrainingHandles& handles, const v1::StatisticsSpec& spec,
                                                   const std::vector<v1::Midcoder>& midcoders);
CollectorConfig CollectorConfigFor(const v1::StatisticsSpec& spec);

}  // namespace superpose
