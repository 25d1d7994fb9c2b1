// The formulas of a snapshot written out on dense float64 tensors.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "lib/statistics/layer_statistics.h"
#include "tests/support/golden.h"

namespace superpose {

inline at::Tensor DenseActivations(const SparseActivations& z) {
  at::Tensor dense = at::zeros({z.rows(), z.d_sae}, at::kDouble);
  dense.index_put_({at::repeat_interleave(z.row_splits.cpu().diff()), z.feature_ids.cpu().to(at::kLong)},
                   z.values.cpu().to(at::kDouble));
  return dense;
}

inline at::Tensor UpperTriangle(const at::Tensor& square) {
  const at::Tensor indices = at::triu_indices(square.size(0), square.size(0));
  return square.index({indices[0], indices[1]});
}

// Of all features; without `mid` gates are those of the model.
inline TensorMap DenseStatistics(const StatisticsRows& rows) {
  const auto wide = [](const at::Tensor& tensor) { return tensor.cpu().to(at::kDouble); };
  const at::Tensor z = DenseActivations(rows.z), p = wide(rows.pre), y = wide(rows.out);
  const at::Tensor active = z.gt(0).to(at::kDouble);
  const at::Tensor gate = (rows.mid.defined() ? wide(rows.mid) : p).gt(0).to(at::kDouble);
  const auto count = [](const at::Tensor& tensor) { return tensor.to(at::kLong); };
  // frexp's exponent is floor(log2 z) + 1.
  const at::Tensor bins = std::get<1>(at::frexp(z)).add(15).clamp(0, 31).masked_fill(z.le(0), -1);
  std::vector<at::Tensor> histogram;
  for (int bin = 0; bin < 32; ++bin) histogram.push_back(bins.eq(bin).sum(0));
  TensorMap sums{{"counts", at::full({1}, z.size(0), at::kLong)},
                 {"act_counts", count(active.sum(0))},
                 {"act_sum", z.sum(0)},
                 {"act_sq_sum", z.square().sum(0)},
                 {"act_max", z.amax(0).to(at::kFloat)},
                 {"act_log2_histogram", at::stack(histogram, 1)},
                 {"act_cov_counts_upper", count(UpperTriangle(active.t().mm(active)))},
                 {"act_cov_sum_upper", UpperTriangle(z.t().mm(z))},
                 {"act_gate_sum", z.t().mm(gate)},
                 {"act_sq_gate_sum", z.square().t().mm(gate)},
                 {"gate_act_counts", count(active.t().mm(gate))},
                 {"pre_relu_sum_no_act", active.t().mm(p)},
                 {"pre_relu_sq_sum_act", active.t().mm(p.square())},
                 {"act_pre_relu_sum", z.t().mm(p)},
                 {"mlp_out_sum_no_act", active.t().mm(y)},
                 {"gate_counts", count(gate.sum(0))},
                 {"pre_relu_sum", p.sum(0)},
                 {"pre_relu_cube_sum", p.pow(3).sum(0)},
                 {"pre_relu_cov_sum", p.t().mm(p)},
                 {"mlp_out_sum", y.sum(0)},
                 {"mlp_out_cov_sum", y.t().mm(y)}};
  if (!rows.mid.defined()) return sums;
  sums["mid_sum"] = wide(rows.mid).sum(0);
  sums["gate_mid_sum"] = wide(rows.mid).mul(gate).sum(0);
  return sums;
}

// Counts and maxima to the last digit, sums by relative norm.
inline void ExpectSums(const TensorMap& actual, const TensorMap& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_EQ(actual.count(name), 1) << name;
    ASSERT_EQ(actual.at(name).sizes(), tensor.sizes()) << name;
    ASSERT_EQ(actual.at(name).scalar_type(), tensor.scalar_type()) << name;
    if (tensor.scalar_type() == at::kDouble) {
      EXPECT_LT(RelativeError(actual.at(name), tensor), tolerance) << name;
    } else {
      EXPECT_TRUE(at::equal(actual.at(name), tensor)) << name;
    }
  }
}

inline void ExpectSameBits(const TensorMap& actual, const TensorMap& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_EQ(actual.count(name), 1) << name;
    EXPECT_TRUE(at::equal(actual.at(name), tensor)) << name;
  }
}

inline TensorMap CopyOf(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy[name] = tensor.clone();
  return copy;
}

}  // namespace superpose
