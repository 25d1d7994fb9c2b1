// The tensors of a snapshot. Over the counted tokens: z is the activation of a feature, 1[z>0] its indicator, g the
// gate of a hidden unit (0 or 1), p = x_hat W_in + b_in, m the midcoder's mid, y the model's own MLP output; f is the
// number of features covered, n that of features whose pairs are. Names are those of the reference where it has the
// sum.
//
//   group           tensor                   sum of            dtype, shape
//   kFeatures       counts                   1                 int64 [1]
//                   act_counts               1[z>0]            int64 [f]
//                   act_sum, act_sq_sum      z, z^2            float64 [f]
//                   act_max                  largest z, or 0   float32 [f]
//                   act_log2_histogram       1[floor(log2 z) = b - 16], outer bins take what is beyond: int64 [f, 32]
//                   feat_ids                 the features: int64 [f], only where some were chosen
//   kPairs          act_cov_counts_upper     1[z_i>0] 1[z_j>0] int64 [n (n + 1) / 2], i <= j, row after row
//                   act_cov_sum_upper        z_i z_j           float64, the same
//                   pair_ids                 the features: int64 [n], only where some were chosen for pairs
//   kGates          act_gate_sum             z g               float64 [f, d_mlp]
//                   act_sq_gate_sum          z^2 g             float64 [f, d_mlp]
//                   gate_act_counts          1[z>0] g          int64 [f, d_mlp]
//   kPreActivations pre_relu_sum_no_act      1[z>0] p          float64 [f, d_mlp] (the name is the reference's)
//                   pre_relu_sq_sum_act      1[z>0] p^2        float64 [f, d_mlp]
//                   act_pre_relu_sum         z p               float64 [f, d_mlp]
//   kOutputs        mlp_out_sum_no_act       1[z>0] y          float64 [f, d_model]
//   kUnits          gate_counts              g                 int64 [d_mlp]
//                   mid_sum, gate_mid_sum    m, g m            float64 [d_mlp], only with a midcoder
//                   pre_relu_sum, .._cube_sum  p, p^3          float64 [d_mlp]
//                   pre_relu_cov_sum         p p^T             float64 [d_mlp, d_mlp]
//                   mlp_out_sum              y                 float64 [d_model]
//                   mlp_out_cov_sum          y y^T             float64 [d_model, d_model]
//
// The reference's files hold act_cov_counts and act_cov_sum [f, f] in place of the triangles, and everything in
// float32. Beside the sums a snapshot with a midcoder holds its parameters W_mid, b_mid, b_mid_out as they were at its
// end.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lib/statistics/statistics_options.h"

namespace superpose {

// One tensor of the table.
struct SnapshotTensor {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  StatisticsGroup group;
};
// Pairs i <= j of n features, n below 2^31.
int64_t TriangleSize(int64_t n);
// Those that options and shape ask for, ids included, parameters left out.
std::vector<SnapshotTensor> SnapshotTensors(const StatisticsShape& shape, const StatisticsOptions& options,
                                            bool has_midcoder);

}  // namespace superpose
