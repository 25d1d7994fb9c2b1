#include "lib/statistics/analysis/gaussian_gate.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "lib/base/error.h"

namespace superpose {
namespace {

// Without it 0 / 0 would come of a unit whose noise does not vary; with it the gate is a step.
constexpr double kLeastVariance = 1e-300;

double CentreOf(int64_t bin) { return std::exp2(static_cast<double>(bin) - 15.5); }

}  // namespace

absl::StatusOr<at::Tensor> ActivationHistogram(const SnapshotData& snapshot) {
  auto histogram = snapshot.Tensor("act_log2_histogram");
  if (histogram.ok()) return histogram;
  return FailedPrecondition(reason::kSnapshotTensorMissing,
                            "the Gaussian gate probability needs act_log2_histogram of the group FEATURES, which the "
                            "snapshot lacks (imported ones do): collect statistics of FEATURES and PRE_ACTIVATIONS");
}

at::Tensor GaussianGateProbability(const NoiseRows& noise, const at::Tensor& W_eff, const at::Tensor& histogram) {
  const at::Device device = W_eff.device();
  const at::Tensor counts = histogram.to(at::kDouble);
  const at::Tensor total = counts.sum(1, /*keepdim=*/true);
  const at::Tensor weights = (counts / total.clamp_min(1)).to(device);
  const at::Tensor used = counts.sum(0).gt(0).contiguous();

  // Phi(x) = erfc(-x / sqrt 2) / 2, and -x / sqrt 2 = offset + z slope.
  const at::Tensor scale = noise.noise_var.clamp_min(kLeastVariance).rsqrt().mul_(-std::sqrt(0.5));
  const at::Tensor slope = W_eff * scale, offset = noise.noise_mean * scale;
  at::Tensor probability = at::zeros_like(offset);
  at::Tensor tail = at::empty_like(offset);
  for (int64_t bin = 0; bin < counts.size(1); ++bin) {
    if (!used.const_data_ptr<bool>()[bin]) continue;
    at::add_out(tail, offset, slope, CentreOf(bin));
    tail.erfc_();
    probability.addcmul_(tail, weights.select(1, bin).unsqueeze(1), 0.5);
  }
  probability.masked_fill_(noise.noise_var.lt(0), 0.0);
  return probability.masked_fill_(total.eq(0).to(device), std::numeric_limits<double>::quiet_NaN());
}

}  // namespace superpose
