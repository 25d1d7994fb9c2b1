#include "lib/statistics/snapshot_layout.h"

#include <ATen/ATen.h>

#include <utility>

namespace superpose {
namespace {

// What is chosen by the options and the sizes that follow from it.
class Layout {
 public:
  Layout(const StatisticsShape& shape, const StatisticsOptions& options, bool has_midcoder)
      : shape_(shape), options_(options), has_midcoder_(has_midcoder) {}

  std::vector<SnapshotTensor> Tensors() && {
    AddFeatures();
    if (Wanted(StatisticsGroup::kPairs)) AddPairs();
    if (Wanted(StatisticsGroup::kGates)) AddGates();
    if (Wanted(StatisticsGroup::kPreActivations)) AddPreActivations();
    if (Wanted(StatisticsGroup::kOutputs)) {
      Add(StatisticsGroup::kOutputs, "mlp_out_sum_no_act", at::kDouble, {features(), shape_.d_model});
    }
    if (Wanted(StatisticsGroup::kUnits)) AddUnits();
    return std::move(tensors_);
  }

 private:
  bool Wanted(StatisticsGroup group) const { return options_.groups.count(group) > 0; }
  int64_t features() const { return options_.feature_ids.defined() ? options_.feature_ids.numel() : shape_.d_sae; }
  int64_t pairs() const { return options_.pair_ids.defined() ? options_.pair_ids.numel() : features(); }

  void Add(StatisticsGroup group, std::string name, at::ScalarType dtype, std::vector<int64_t> shape) {
    tensors_.push_back({std::move(name), dtype, std::move(shape), group});
  }

  void AddFeatures() {
    constexpr auto kGroup = StatisticsGroup::kFeatures;
    Add(kGroup, "counts", at::kLong, {1});
    Add(kGroup, "act_counts", at::kLong, {features()});
    Add(kGroup, "act_sum", at::kDouble, {features()});
    Add(kGroup, "act_sq_sum", at::kDouble, {features()});
    Add(kGroup, "act_max", at::kFloat, {features()});
    Add(kGroup, "act_log2_histogram", at::kLong, {features(), 32});
    if (options_.feature_ids.defined()) Add(kGroup, "feat_ids", at::kLong, {features()});
  }

  void AddPairs() {
    constexpr auto kGroup = StatisticsGroup::kPairs;
    Add(kGroup, "act_cov_counts_upper", at::kLong, {TriangleSize(pairs())});
    Add(kGroup, "act_cov_sum_upper", at::kDouble, {TriangleSize(pairs())});
    if (options_.pair_ids.defined()) Add(kGroup, "pair_ids", at::kLong, {pairs()});
  }

  void AddGates() {
    constexpr auto kGroup = StatisticsGroup::kGates;
    Add(kGroup, "act_gate_sum", at::kDouble, {features(), shape_.d_mlp});
    Add(kGroup, "act_sq_gate_sum", at::kDouble, {features(), shape_.d_mlp});
    Add(kGroup, "gate_act_counts", at::kLong, {features(), shape_.d_mlp});
  }

  void AddPreActivations() {
    constexpr auto kGroup = StatisticsGroup::kPreActivations;
    for (const char* name : {"pre_relu_sum_no_act", "pre_relu_sq_sum_act", "act_pre_relu_sum"}) {
      Add(kGroup, name, at::kDouble, {features(), shape_.d_mlp});
    }
  }

  void AddUnits() {
    constexpr auto kGroup = StatisticsGroup::kUnits;
    Add(kGroup, "gate_counts", at::kLong, {shape_.d_mlp});
    if (has_midcoder_) {
      Add(kGroup, "mid_sum", at::kDouble, {shape_.d_mlp});
      Add(kGroup, "gate_mid_sum", at::kDouble, {shape_.d_mlp});
    }
    Add(kGroup, "pre_relu_sum", at::kDouble, {shape_.d_mlp});
    Add(kGroup, "pre_relu_cube_sum", at::kDouble, {shape_.d_mlp});
    Add(kGroup, "pre_relu_cov_sum", at::kDouble, {shape_.d_mlp, shape_.d_mlp});
    Add(kGroup, "mlp_out_sum", at::kDouble, {shape_.d_model});
    Add(kGroup, "mlp_out_cov_sum", at::kDouble, {shape_.d_model, shape_.d_model});
  }

  const StatisticsShape& shape_;
  const StatisticsOptions& options_;
  const bool has_midcoder_;
  std::vector<SnapshotTensor> tensors_;
};

}  // namespace

int64_t TriangleSize(int64_t n) { return n % 2 == 0 ? n / 2 * (n + 1) : (n + 1) / 2 * n; }

std::vector<SnapshotTensor> SnapshotTensors(const StatisticsShape& shape, const StatisticsOptions& options,
                                            bool has_midcoder) {
  return Layout(shape, options, has_midcoder).Tensors();
}

}  // namespace superpose
