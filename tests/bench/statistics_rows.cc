#include "tests/bench/statistics_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "lib/midcoder/midcoder.h"
#include "lib/tensor_io/safetensors.h"
#include "tests/bench/compare_sums.h"

namespace superpose {
namespace {

// A snapshot holds pairs of one feature in so many: a copy of all pairs would not fit beside the other workers.
constexpr int64_t kSnapshotPairShare = 3;
// Rounding of the model and of the first update moves activations and gates across zero, in a few of 100,000 cases.
constexpr SumsTolerance kStepTolerance{.counts = 1e-4, .sums = 1e-5, .gates = 1e-3, .gate_counts = 1e-3};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

bool StatisticsRowsBench::Enters(const std::string& row) {
  if (row == row_) return false;
  row_ = row;
  sums_.reset();
  trainer_.reset();
  return true;
}

StatisticsShape StatisticsRowsBench::Shape() const {
  const ModelConfig& config = inputs_.model->config();
  return {.d_sae = inputs_.transcoder->d_sae(), .d_mlp = config.d_mlp, .d_model = config.d_model};
}

const StatisticsRows& StatisticsRowsBench::Rows() {
  if (rows_.mid.defined()) return rows_;
  const StatisticsShape shape = Shape();
  at::manual_seed(0);
  const Midcoder midcoder(MidForm::kDMlp, MidGate::kRelu, inputs_.layer,
                          {.W_mid = at::randn({shape.d_sae, shape.d_mlp}),
                           .b_mid = at::zeros({shape.d_mlp}),
                           .b_mid_out = at::zeros({shape.d_model})});
  rows_ = {.z = Must(inputs_.transcoder->Encode(inputs_.rows.x_hat)), .pre = inputs_.rows.pre, .out = inputs_.rows.out};
  rows_.mid = midcoder.Mid(*inputs_.model, rows_.z);
  return rows_;
}

void StatisticsRowsBench::Count(const std::string& row, const std::set<StatisticsGroup>& groups) {
  const StatisticsRows& rows = Rows();
  if (Enters(row)) {
    sums_ = Must(LayerStatistics::Create(Shape(), {.groups = groups, .gate = GateSource::kMidcoder},
                                         /*has_midcoder=*/true, at::kCPU));
  }
  for (int64_t begin = 0; begin < rows.z.rows(); begin += LayerStatistics::kMostRows) {
    const int64_t end = std::min(begin + LayerStatistics::kMostRows, rows.z.rows());
    sums_->Begin({SliceRows(rows.z, begin, end), rows.pre.slice(0, begin, end), rows.mid.slice(0, begin, end),
                  rows.out.slice(0, begin, end)});
    while (!sums_->idle()) sums_->RunUnit();
  }
}

void StatisticsRowsBench::AllFeatures() { Count("statistics_all_features", StatisticsOptions().groups); }

void StatisticsRowsBench::Pairs() { Count("pair_statistics", {StatisticsGroup::kFeatures, StatisticsGroup::kPairs}); }

void StatisticsRowsBench::Train(const std::string& row, StatisticsOptions options) {
  if (Enters(row)) {
    TrainerConfig config;
    config.order = SequenceOrder::kSequential;
    config.statistics = TrainingStatistics{.layers = {std::move(options)}, .include_bos = true};
    trainer_.emplace(inputs_, std::move(config));
  }
  trainer_->Step();
}

void StatisticsRowsBench::Step() { Train("step_with_statistics", {}); }

std::map<std::string, double> StatisticsRowsBench::Snapshot() {
  auto start = std::chrono::steady_clock::now();
  const bool first = row_ != "snapshot";
  StatisticsOptions options;
  options.pair_ids = at::arange(Shape().d_sae / kSnapshotPairShare, at::kLong);
  Train("snapshot", options);
  // Its sums are made in the first.
  if (first) {
    start = std::chrono::steady_clock::now();
    Train("snapshot", options);
  }
  std::map<std::string, double> fields{{"step_seconds", SecondsSince(start)}};
  start = std::chrono::steady_clock::now();
  TensorMap tensors = trainer_->trainer().statistics(0).Tensors();
  tensors.merge(trainer_->trainer().midcoder(0).tensors());
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();
  fields["pause_seconds"] = SecondsSince(start);
  start = std::chrono::steady_clock::now();
  const std::string path = inputs_.folder + "/snapshot.safetensors";
  Must(WriteSafetensors(path, tensors, {}));
  fields["write_seconds"] = SecondsSince(start);
  fields["bytes"] = static_cast<double>(std::filesystem::file_size(path));
  std::filesystem::remove(path);
  return fields;
}

void StatisticsRowsBench::WriteRows(const std::string& path) {
  const StatisticsRows& rows = Rows();
  Must(WriteSafetensors(path,
                        {{"row_splits", rows.z.row_splits},
                         {"feature_ids", rows.z.feature_ids},
                         {"values", rows.z.values},
                         {"pre", rows.pre},
                         {"mid", rows.mid},
                         {"out", rows.out}},
                        {}));
}

double StatisticsRowsBench::Compare(const std::string& row, const std::string& path) {
  const SafetensorsFile theirs = Must(SafetensorsFile::Open(path));
  Enters("");
  if (row == "step_with_statistics") {
    // At the first step all gates are shut.
    Step();
    Step();
    return CompareSums(trainer_->trainer().statistics(0).Tensors(), Shape(), theirs.tensors(), kStepTolerance);
  }
  row == "pair_statistics" ? Pairs() : AllFeatures();
  return CompareSums(sums_->Tensors(), Shape(), theirs.tensors(), {});
}

}  // namespace superpose
