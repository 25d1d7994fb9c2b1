// Sums of the golden run that do not depend on its midcoder, whose parameters moved.
#include <ATen/ATen.h>

#include <string>

#include "lib/statistics/layer_statistics.h"
#include "tests/lib/statistics/collector_rig.h"

namespace superpose {
namespace {

class GoldenStatistics : public CollectorRig {};

TEST_F(GoldenStatistics, EqualTheReferences) {
  TensorMap golden = GoldenTensors("tiny_stats_d_mlp_f64.safetensors");
  StatisticsOptions options;
  options.feature_ids = golden.at("feat_ids").to(at::kLong);
  const StatisticsShape shape{.d_sae = transcoder_->d_sae(), .d_mlp = 128, .d_model = 32};
  auto statistics = LayerStatistics::Create(shape, options, false, at::kCPU);
  ASSERT_OK(statistics);
  const auto steps = golden.at("counts").item<int64_t>() / (8 * 32);
  for (const at::Tensor& tokens : GoldenTokens().slice(0, 0, 8 * steps).split(8)) {
    (*statistics)->Begin(RowsOf(tokens, Layer(1), /*include_bos=*/true));
    while (!(*statistics)->idle()) (*statistics)->RunUnit();
  }
  TensorMap sums = (*statistics)->Tensors();
  for (const char* name : {"counts", "act_counts"}) {
    EXPECT_TRUE(at::equal(sums.at(name).to(at::kDouble), golden.at(name))) << name;
  }
  for (const char* name : {"act_sum", "act_sq_sum", "pre_relu_sum_no_act", "mlp_out_sum_no_act", "pre_relu_sum",
                           "pre_relu_cube_sum", "pre_relu_cov_sum", "mlp_out_sum", "mlp_out_cov_sum"}) {
    EXPECT_LT(RelativeError(sums.at(name), golden.at(name)), 6e-7) << name;
  }
  EXPECT_TRUE(at::equal(sums.at("act_cov_counts_upper").to(at::kDouble), UpperTriangle(golden.at("act_cov_counts"))));
  EXPECT_LT(RelativeError(sums.at("act_cov_sum_upper"), UpperTriangle(golden.at("act_cov_sum"))), 6e-7);
}

}  // namespace
}  // namespace superpose
