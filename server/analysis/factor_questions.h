// Questions to a stored factorization (factor.proto has their tensors and figures). Each takes one unit of a few
// milliseconds. All have the errors of StoredFactorization, and CONFIG_INVALID for a k under 1, and over
// kMostInBlock where the answer has a block of k x k; defaults are filled in.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "server/analysis/stored_factorization.h"
#include "superpose/v1/factor.pb.h"

namespace superpose {

inline constexpr int64_t kMostInBlock = 1000;

using FactorizationHandle = std::shared_ptr<const StoredFactorization>;

absl::StatusOr<std::unique_ptr<Analysis>> MakeFactorsOfDecoder(const FactorizationHandle& stored,
                                                               v1::FactorsOfDecoderAnalysis* spec);
// By codes CONFIG_INVALID in form gram.
absl::StatusOr<std::unique_ptr<Analysis>> MakeDecodersOfFactor(const FactorizationHandle& stored,
                                                               v1::DecodersOfFactorAnalysis* spec);
// CONFIG_INVALID in form gram.
absl::StatusOr<std::unique_ptr<Analysis>> MakeSharedFactors(const FactorizationHandle& stored,
                                                            v1::SharedFactorsAnalysis* spec);

}  // namespace superpose
