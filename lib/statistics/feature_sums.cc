#include "lib/statistics/feature_sums.h"

#include <ATen/ATen.h>

#include <optional>

namespace superpose {
namespace {

constexpr int64_t kBins = 32;
// The exponent's bits of a float32 are floor(log2 z) + 127, bin 0 is that of 2^-16.
constexpr int64_t kMantissaBits = 23, kBitsOfBinZero = 127 - 16;

at::Tensor BinsOf(const at::Tensor& values) {
  return at::bitwise_right_shift(values.view(at::kInt), kMantissaBits).sub(kBitsOfBinZero).clamp(0, kBins - 1);
}

at::Tensor Reduce(const at::Tensor& values, c10::string_view reduction, const at::Tensor& counts) {
  return at::segment_reduce(values, reduction, counts, /*indices=*/{}, /*offsets=*/{}, /*axis=*/0, /*unsafe=*/true,
                            /*initial=*/0);
}

}  // namespace

FeatureSums::FeatureSums(int64_t features, at::Device device)
    : counts_(at::zeros({features}, at::TensorOptions(device).dtype(at::kLong))),
      sum_(at::zeros({features}, at::TensorOptions(device).dtype(at::kDouble))),
      sq_sum_(at::zeros_like(sum_)),
      max_(at::zeros({features}, at::TensorOptions(device).dtype(at::kFloat))),
      histogram_(at::zeros({features, kBins}, counts_.options())) {}

bool FeatureSums::RunUnit() {
  const TransposedActivations& z = z_->by_feature;
  if (z.values.numel() == 0) return true;
  const at::Tensor counts = z.feature_splits.diff();
  counts_.add_(counts);
  const at::Tensor wide = z.values.to(at::kDouble);
  sum_.add_(Reduce(wide, "sum", counts));
  sq_sum_.add_(Reduce(wide.square(), "sum", counts));
  at::maximum_out(max_, max_, Reduce(z.values, "max", counts));
  const at::Tensor features =
      at::repeat_interleave(counts, std::optional<int64_t>(z.values.numel()));  // of each activation
  const at::Tensor places = features.mul(kBins).add_(BinsOf(z.values));
  histogram_.view(-1).index_add_(0, places, at::ones_like(places));
  return true;
}

std::vector<NamedSums> FeatureSums::Sums() const {
  return {{"act_counts", counts_},
          {"act_sum", sum_},
          {"act_sq_sum", sq_sum_},
          {"act_max", max_},
          {"act_log2_histogram", histogram_}};
}

}  // namespace superpose
