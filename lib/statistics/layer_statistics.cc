#include "lib/statistics/layer_statistics.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/check_options.h"
#include "lib/statistics/chosen_features.h"
#include "lib/statistics/feature_output_sums.h"
#include "lib/statistics/feature_sums.h"
#include "lib/statistics/gate_sums.h"
#include "lib/statistics/make_layer_statistics.h"
#include "lib/statistics/output_sums.h"
#include "lib/statistics/pair_sums.h"
#include "lib/statistics/pre_activation_sums.h"
#include "lib/statistics/unit_sums.h"

namespace superpose {
namespace {

at::Tensor CheckedRows(const at::Tensor& tensor, const char* name, int64_t rows, int64_t width) {
  TORCH_CHECK(tensor.defined(), name, " is needed for the statistics that were asked for");
  TORCH_CHECK(tensor.scalar_type() == at::kFloat && tensor.sizes() == at::IntArrayRef({rows, width}), name,
              " must be float32 [", rows, ", ", width, "]");
  return tensor.contiguous();
}

CountedActivations Counted(SparseActivations z) {
  CountedActivations counted{std::move(z), {}, {}};
  counted.by_feature = Transpose(counted.z);
  counted.host_splits = counted.by_feature.feature_splits.cpu();
  return counted;
}

class GroupedStatistics final : public LayerStatistics {
 public:
  GroupedStatistics(const StatisticsShape& shape, StatisticsOptions options, bool has_midcoder, at::Device device,
                    SumsBy by)
      : shape_(shape),
        options_(std::move(options)),
        has_midcoder_(has_midcoder),
        features_(options_.feature_ids, shape.d_sae, device),
        pairs_(options_.pair_ids.defined() ? options_.pair_ids : options_.feature_ids, shape.d_sae, device),
        counts_(at::zeros({1}, at::kLong)) {
    AddGroups(device, by);
  }

  void Begin(StatisticsRows rows) override {
    TORCH_CHECK(idle(), "a batch is being counted");
    TORCH_CHECK(rows.z.rows() <= kMostRows, "a batch has at most ", kMostRows, " rows");
    rows_ = std::move(rows);
    phase_ = Phase::kPrepare;
  }
  void RunUnit() override;
  bool idle() const override { return phase_ == Phase::kIdle; }
  int64_t tokens() const override { return *counts_.const_data_ptr<int64_t>(); }
  TensorMap Tensors() const override;
  absl::Status Restore(const TensorMap& tensors) override;

 private:
  enum class Phase { kIdle, kPrepare, kGroups };

  bool Wants(StatisticsGroup group) const { return options_.groups.count(group) > 0; }
  bool WantsGates() const { return Wants(StatisticsGroup::kGates) || Wants(StatisticsGroup::kUnits); }
  void AddGroups(at::Device device, SumsBy by);
  void PrepareBatch();
  void TakeRows();
  void Finish();
  at::Tensor AsAsked(const NamedSums& sums) const;
  at::Tensor AsCounted(const NamedSums& sums, const at::Tensor& asked) const;
  absl::Status CheckRestored(const NamedSums& sums, const TensorMap& tensors) const;
  std::vector<NamedSums> AllSums() const;

  const StatisticsShape shape_;
  const StatisticsOptions options_;
  const bool has_midcoder_;
  const ChosenFeatures features_;
  const ChosenFeatures pairs_;
  const at::Tensor counts_;  // int64 [1] on the CPU
  std::vector<std::unique_ptr<SumGroup>> groups_;
  Phase phase_ = Phase::kIdle;
  size_t group_ = 0;
  StatisticsRows rows_;
  StatisticsBatch batch_;
};

void GroupedStatistics::AddGroups(at::Device device, SumsBy by) {
  const int64_t features = features_.count();
  groups_.push_back(std::make_unique<FeatureSums>(features, device));
  if (Wants(StatisticsGroup::kPairs)) groups_.push_back(std::make_unique<PairSums>(pairs_.count(), device, by));
  if (Wants(StatisticsGroup::kGates)) {
    groups_.push_back(std::make_unique<GateSums>(features, shape_.d_mlp, device, by));
  }
  if (Wants(StatisticsGroup::kPreActivations)) {
    groups_.push_back(std::make_unique<PreActivationSums>(features, shape_.d_mlp, device, by));
  }
  if (Wants(StatisticsGroup::kOutputs)) {
    groups_.push_back(std::make_unique<FeatureOutputSums>(features, shape_.d_model, device, by));
  }
  if (!Wants(StatisticsGroup::kUnits)) return;
  groups_.push_back(std::make_unique<UnitSums>(shape_.d_mlp, has_midcoder_, device, by));
  groups_.push_back(std::make_unique<OutputSums>(shape_.d_model, device));
}

void GroupedStatistics::RunUnit() {
  if (phase_ == Phase::kIdle) return;
  if (phase_ == Phase::kPrepare) return PrepareBatch();
  if (!groups_[group_]->RunUnit()) return;
  if (++group_ < groups_.size()) {
    groups_[group_]->Begin(batch_);
  } else {
    Finish();
  }
}

void GroupedStatistics::PrepareBatch() {
  batch_ = {};
  batch_.rows = rows_.z.rows();
  TORCH_CHECK(rows_.z.d_sae == shape_.d_sae, "activations of ", rows_.z.d_sae, " features, not of ", shape_.d_sae);
  TakeRows();
  batch_.features = Counted(features_.Restrict(rows_.z));
  if (Wants(StatisticsGroup::kPairs)) {
    batch_.pairs = options_.pair_ids.defined() ? Counted(pairs_.Restrict(rows_.z)) : batch_.features;
  }
  phase_ = Phase::kGroups;
  group_ = 0;
  groups_[0]->Begin(batch_);
}

void GroupedStatistics::TakeRows() {
  const int64_t rows = batch_.rows;
  const bool model_gates = WantsGates() && options_.gate == GateSource::kModel;
  if (model_gates || Wants(StatisticsGroup::kPreActivations) || Wants(StatisticsGroup::kUnits)) {
    batch_.pre = CheckedRows(rows_.pre, "pre", rows, shape_.d_mlp);
  }
  if (has_midcoder_ && (Wants(StatisticsGroup::kUnits) || (WantsGates() && !model_gates))) {
    batch_.mid = CheckedRows(rows_.mid, "mid", rows, shape_.d_mlp);
  }
  if (Wants(StatisticsGroup::kOutputs) || Wants(StatisticsGroup::kUnits)) {
    batch_.out = CheckedRows(rows_.out, "out", rows, shape_.d_model);
  }
  if (WantsGates()) batch_.gates = (model_gates ? batch_.pre : batch_.mid).gt(0);
}

void GroupedStatistics::Finish() {
  *counts_.mutable_data_ptr<int64_t>() += batch_.rows;
  rows_ = {};
  batch_ = {};
  phase_ = Phase::kIdle;
}

std::vector<NamedSums> GroupedStatistics::AllSums() const {
  std::vector<NamedSums> all{{"counts", counts_, SumsOver::kOther}};
  for (const auto& group : groups_) {
    for (NamedSums& sums : group->Sums()) all.push_back(std::move(sums));
  }
  return all;
}

at::Tensor GroupedStatistics::AsAsked(const NamedSums& sums) const {
  at::Tensor counted = sums.sums.cpu();
  if (sums.over == SumsOver::kFeatures) return features_.ToAsked(counted);
  if (sums.over == SumsOver::kPairs) return pairs_.PairsToAsked(counted);
  return counted;
}

at::Tensor GroupedStatistics::AsCounted(const NamedSums& sums, const at::Tensor& asked) const {
  if (sums.over == SumsOver::kFeatures) return features_.ToCounted(asked);
  if (sums.over == SumsOver::kPairs) return pairs_.PairsToCounted(asked);
  return asked;
}

TensorMap GroupedStatistics::Tensors() const {
  TORCH_CHECK(idle(), "a batch is being counted");
  TensorMap tensors;
  for (const NamedSums& sums : AllSums()) tensors[sums.name] = AsAsked(sums);
  if (options_.feature_ids.defined()) tensors["feat_ids"] = options_.feature_ids;
  if (Wants(StatisticsGroup::kPairs) && options_.pair_ids.defined()) tensors["pair_ids"] = options_.pair_ids;
  return tensors;
}

absl::Status GroupedStatistics::CheckRestored(const NamedSums& sums, const TensorMap& tensors) const {
  const auto found = tensors.find(sums.name);
  if (found == tensors.end()) return InvalidArgument(reason::kTensorMissing, "no tensor ", sums.name);
  std::vector<int64_t> shape = sums.sums.sizes().vec();
  if (sums.over == SumsOver::kFeatures) shape[0] = features_.asked();
  if (sums.over == SumsOver::kPairs) shape[0] = pairs_.asked() * (pairs_.asked() + 1) / 2;
  const at::Tensor& given = found->second;
  if (given.sizes() == shape && given.scalar_type() == sums.sums.scalar_type()) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, sums.name, " is ", c10::toString(given.scalar_type()), " [",
                         absl::StrJoin(given.sizes(), ", "), "], not ", c10::toString(sums.sums.scalar_type()), " [",
                         absl::StrJoin(shape, ", "), "]");
}

absl::Status GroupedStatistics::Restore(const TensorMap& tensors) {
  const std::vector<NamedSums> all = AllSums();
  for (const NamedSums& sums : all) SUPERPOSE_RETURN_IF_ERROR(CheckRestored(sums, tensors));
  return CatchTorch([&] {
    for (const NamedSums& sums : all) sums.sums.copy_(AsCounted(sums, tensors.at(sums.name)));
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<LayerStatistics>> MakeLayerStatistics(const StatisticsShape& shape,
                                                                     StatisticsOptions options, bool has_midcoder,
                                                                     at::Device device, SumsBy by) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<LayerStatistics>> {
    SUPERPOSE_RETURN_IF_ERROR(CheckStatisticsOptions(shape, options, has_midcoder));
    return std::make_unique<GroupedStatistics>(shape, std::move(options), has_midcoder, device, by);
  });
}

absl::StatusOr<std::unique_ptr<LayerStatistics>> LayerStatistics::Create(const StatisticsShape& shape,
                                                                         StatisticsOptions options, bool has_midcoder,
                                                                         at::Device device) {
  return MakeLayerStatistics(shape, std::move(options), has_midcoder, device,
                             device.is_cpu() ? SumsBy::kLoops : SumsBy::kOperators);
}

}  // namespace superpose
