// Statistics of random rows, in each way in which they can be computed.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/statistics/make_layer_statistics.h"
#include "lib/statistics/snapshot_layout.h"
#include "tests/lib/statistics/dense_statistics.h"
#include "tests/status_matchers.h"

namespace superpose {

inline SparseActivations SparseOf(const at::Tensor& dense) {
  const at::Tensor active = dense.gt(0);
  return {at::cat({at::zeros({1}, at::kLong), active.sum(1).cumsum(0)}),
          active.nonzero().select(1, 1).to(at::kInt).contiguous(), dense.masked_select(active), dense.size(1)};
}

// About `density` of the activations positive, over ten powers of two; a row without any in the middle and a last
// feature that never fires.
inline at::Tensor RandomActivations(int64_t rows, int64_t d_sae, double density) {
  at::Tensor dense = at::rand({rows, d_sae}).mul_(10).sub_(5).exp2_();
  dense.mul_(at::rand({rows, d_sae}).lt(density));
  if (density < 1) {
    dense.select(1, d_sae - 1).zero_();
    if (rows > 1) dense.select(0, rows / 2).zero_();
  }
  return dense;
}

inline StatisticsRows RandomRows(int64_t rows, const StatisticsShape& shape, double density = 0.2) {
  return {SparseOf(RandomActivations(rows, shape.d_sae, density)), at::randn({rows, shape.d_mlp}),
          at::randn({rows, shape.d_mlp}), at::randn({rows, shape.d_model})};
}

inline StatisticsRows WithoutMid(StatisticsRows rows) {
  rows.mid = at::Tensor();
  return rows;
}

// Rows [begin, end).
inline StatisticsRows PartOf(const StatisticsRows& rows, int64_t begin, int64_t end) {
  const auto cut = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.slice(0, begin, end) : at::Tensor();
  };
  return {SliceRows(rows.z, begin, end), cut(rows.pre), cut(rows.mid), cut(rows.out)};
}

// What DenseStatistics has of all features, of those that the options choose.
inline TensorMap Chosen(const TensorMap& all, const StatisticsShape& shape, const StatisticsOptions& options,
                        bool has_midcoder) {
  const auto square = [&](const at::Tensor& upper) {
    at::Tensor matrix = at::zeros({shape.d_sae, shape.d_sae}, upper.options());
    const at::Tensor indices = at::triu_indices(shape.d_sae, shape.d_sae);
    matrix.index_put_({indices[0], indices[1]}, upper);
    return at::where(at::ones_like(matrix, at::kBool).triu(), matrix, matrix.t());
  };
  const at::Tensor rows = options.feature_ids.defined() ? options.feature_ids : at::arange(shape.d_sae);
  const at::Tensor pairs = options.pair_ids.defined() ? options.pair_ids : rows;
  TensorMap chosen;
  for (const SnapshotTensor& tensor : SnapshotTensors(shape, options, has_midcoder)) {
    const std::string& name = tensor.name;
    if (name == "feat_ids" || name == "pair_ids") {
      chosen[name] = name == "feat_ids" ? rows : pairs;
    } else if (tensor.group == StatisticsGroup::kPairs) {
      chosen[name] = UpperTriangle(square(all.at(name)).index_select(0, pairs).index_select(1, pairs));
    } else if (name == "counts" || tensor.group == StatisticsGroup::kUnits) {
      chosen[name] = all.at(name);
    } else {
      chosen[name] = all.at(name).index_select(0, rows);
    }
  }
  return chosen;
}

struct Way {
  const char* name;
  at::DeviceType device;
  SumsBy by;
};
inline std::string WayName(const testing::TestParamInfo<Way>& info) { return info.param.name; }
// The operators of other devices run on the CPU too, so that they are tested where there is no other device.
inline auto EveryWay() {
  return testing::Values(Way{"Loops", at::kCPU, SumsBy::kLoops}, Way{"OperatorsOnCpu", at::kCPU, SumsBy::kOperators},
                         Way{"OperatorsOnCuda", at::kCUDA, SumsBy::kOperators});
}

class StatisticsRig : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam().device == at::kCUDA && !at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
    at::manual_seed(7);
  }

  std::unique_ptr<LayerStatistics> New(const StatisticsShape& shape, const StatisticsOptions& options,
                                       bool has_midcoder) const {
    auto made = MakeLayerStatistics(shape, options, has_midcoder, at::Device(GetParam().device), GetParam().by);
    EXPECT_OK(made);
    return made.ok() ? *std::move(made) : nullptr;
  }
  // Counts a batch; returns in how many units.
  int Count(LayerStatistics& statistics, const StatisticsRows& rows) const {
    const at::Device device(GetParam().device);
    const auto to = [&](const at::Tensor& tensor) { return tensor.defined() ? tensor.to(device) : tensor; };
    statistics.Begin({{to(rows.z.row_splits), to(rows.z.feature_ids), to(rows.z.values), rows.z.d_sae},
                      to(rows.pre),
                      to(rows.mid),
                      to(rows.out)});
    int units = 0;
    for (; !statistics.idle(); ++units) statistics.RunUnit();
    return units;
  }
  void ExpectAsDense(const StatisticsRows& rows, const StatisticsShape& shape, const StatisticsOptions& options) const {
    const bool has_midcoder = rows.mid.defined();
    const auto statistics = New(shape, options, has_midcoder);
    Count(*statistics, rows);
    EXPECT_EQ(statistics->tokens(), rows.z.rows());
    ExpectSums(statistics->Tensors(), Chosen(DenseStatistics(rows), shape, options, has_midcoder), 1e-13);
  }
};

}  // namespace superpose
