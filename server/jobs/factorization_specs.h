// Checks what a caller asks of jobs that factorize decoders against what the server holds, and fills in every default,
// so that what is queued says all.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "lib/factorization/factorization_run.h"
#include "server/analysis/analysis_sources.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose {

// Fills in every default. Errors: those of ResolveDirections; EMPTY_SELECTION (fewer than 2 decoders); CONFIG_INVALID
// by the field of FactorizationSpec, and for a feature that is named twice; those of CheckLabels and MayHoldOut; of
// `start` those of FactorizationStore::Get, and TENSOR_SHAPE_MISMATCH when its width is another. Blocks on disk. What
// the directions themselves hold is not looked at: CheckFactorizationDirections does.
absl::StatusOr<v1::FactorizationSpec> ResolveFactorizationSpec(const AnalysisSources& sources,
                                                               v1::FactorizationSpec spec);

// Of a spec that has a start and yet holds decoders out: which of `features` (int64 [n]) may be, by index, for the
// start was not fitted on them: those that it held out too. Undefined for any other spec. CONFIG_INVALID where there
// are none, or the start does not say; those of StoredFactorization::Open. Blocks on disk.
absl::StatusOr<at::Tensor> MayHoldOut(const AnalysisSources& sources, const v1::FactorizationSpec& spec,
                                      const at::Tensor& features);

// Looks at the decoders of a resolved spec, block by block, as CountDirections. The errors of ReadDirections:
// CONFIG_INVALID (a decoder of length 0, by its feature), TENSOR_NOT_FINITE, EMPTY_SELECTION (fewer than 2 are left),
// ..
absl::Status CheckFactorizationDirections(const AnalysisSources& sources, const v1::FactorizationSpec& spec);

// What a resolved spec tells FactorizationRun.
FactorizationRunConfig FactorizationRunConfigOf(const v1::FactorizationSpec& spec);

// What the job of a resolved spec takes, and how many decoders it has; where predicted ones are not defined, it has
// fewer. Errors: those of ResolveDirections. Blocks on disk.
struct FactorizationJobEstimate {
  MemoryEstimate memory;
  int64_t decoders = 0;  // fitted
  int64_t held_out_decoders = 0;
};
absl::StatusOr<FactorizationJobEstimate> EstimateFactorizationJob(const AnalysisSources& sources,
                                                                  const v1::FactorizationSpec& spec);

// What of a factorization would fit in `room` bytes, in words: fewer factors, or with the fewest a smaller batch.
std::string FactorizationThatFits(const AnalysisSources& sources, const v1::FactorizationSpec& spec, int64_t room);

}  // namespace superpose
