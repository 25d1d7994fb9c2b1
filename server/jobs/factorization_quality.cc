#include "server/jobs/factorization_quality.h"

#include <ATen/ATen.h>

#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

v1::ExplanationQuality Describe(const ExplanationSummary& summary) {
  v1::ExplanationQuality result;
  result.set_decoders(summary.decoders);
  result.set_mean_error(summary.mean_error);
  result.set_median_error(summary.median_error);
  result.set_mean_cosine(summary.mean_cosine);
  result.set_median_cosine(summary.median_cosine);
  result.set_mean_l0(summary.mean_codes);
  return result;
}

v1::BaselineQuality Describe(const BaselineQuality& baseline) {
  v1::BaselineQuality result;
  result.set_directions(baseline.directions);
  *result.mutable_fitted() = Describe(baseline.fitted);
  if (baseline.held_out.has_value()) *result.mutable_held_out() = Describe(*baseline.held_out);
  return result;
}

}  // namespace

absl::StatusOr<v1::FactorizationQuality> DescribeQuality(const FactorizationQuality& quality,
                                                         std::optional<double> stability) {
  return CatchTorch([&]() -> absl::StatusOr<v1::FactorizationQuality> {
    v1::FactorizationQuality result;
    *result.mutable_fitted() = Describe(Summarize(quality.fitted));
    if (quality.held_out.has_value()) *result.mutable_held_out() = Describe(Summarize(*quality.held_out));
    result.set_dead_factors(quality.dead);
    result.set_duplicate_factors(quality.duplicates);
    const at::Tensor& closeness = quality.similarity.closeness;
    if (closeness.numel() > 1) result.set_mean_nearest_cosine(closeness.mean(at::kDouble).item<double>());
    if (stability.has_value()) result.set_stability(*stability);
    *result.mutable_k_means() = Describe(quality.k_means);
    *result.mutable_pca() = Describe(quality.pca);
    return result;
  });
}

}  // namespace superpose
