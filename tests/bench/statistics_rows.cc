#include "tests/bench/statistics_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/midcoder/midcoder.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/statistics/statistics_options.h"
#include "lib/tensor_io/safetensors.h"
#include "tests/bench/compare_sums.h"

namespace superpose {
namespace {

// A snapshot holds pairs of one feature in so many: a copy of all pairs would not fit beside the other workers.
constexpr int64_t kSnapshotPairShare = 3;
// Rounding of the model and of the first update moves activations and gates across zero, in a few of 100,000 cases.
constexpr SumsTolerance kStepTolerance{.counts = 1e-4, .sums = 1e-5, .gates = 1e-3, .gate_counts = 1e-3};

StatisticsShape ShapeOf(const BenchInputs& inputs) {
  const ModelConfig& config = inputs.model->config();
  return {.d_sae = inputs.transcoder->d_sae(), .d_mlp = config.d_mlp, .d_model = config.d_model};
}

StatisticsRows RowsOf(const BenchInputs& inputs) {
  StatisticsRows rows{.z = Must(inputs.transcoder->Encode(inputs.rows.x_hat)),
                      .pre = inputs.rows.pre,
                      .mid = {},
                      .out = inputs.rows.out};
  rows.mid = RandomMidcoder(inputs)->Mid(*inputs.model, rows.z);
  return rows;
}

// The sums of one batch again and again: they keep growing, as in a job.
class Count : public BenchRow {
 public:
  Count(const BenchInputs& inputs, std::set<StatisticsGroup> groups)
      : inputs_(inputs), groups_(std::move(groups)), rows_(RowsOf(inputs)) {
    StartAnew();
  }

  Repetition Run() override {
    return {SecondsOf([&] { CountBatch(); })};
  }
  TensorMap Inputs() override {
    return {{"row_splits", rows_.z.row_splits},
            {"feature_ids", rows_.z.feature_ids},
            {"values", rows_.z.values},
            {"pre", rows_.pre},
            {"mid", rows_.mid},
            {"out", rows_.out}};
  }
  absl::StatusOr<double> Compare(const std::string& file) override {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile theirs, SafetensorsFile::Open(file));
    StartAnew();
    CountBatch();
    return CompareSums(sums_->Tensors(), ShapeOf(inputs_), theirs.tensors(), {});
  }

 private:
  void StartAnew() {
    sums_.reset();
    StatisticsOptions options;
    options.groups = groups_;
    options.gate = GateSource::kMidcoder;
    sums_ = Must(LayerStatistics::Create(ShapeOf(inputs_), options, /*has_midcoder=*/true, at::kCPU));
  }
  void CountBatch() {
    for (int64_t begin = 0; begin < rows_.z.rows(); begin += LayerStatistics::kMostRows) {
      const int64_t end = std::min(begin + LayerStatistics::kMostRows, rows_.z.rows());
      sums_->Begin({SliceRows(rows_.z, begin, end), rows_.pre.slice(0, begin, end), rows_.mid.slice(0, begin, end),
                    rows_.out.slice(0, begin, end)});
      while (!sums_->idle()) sums_->RunUnit();
    }
  }

  const BenchInputs& inputs_;
  const std::set<StatisticsGroup> groups_;
  const StatisticsRows rows_;
  std::unique_ptr<LayerStatistics> sums_;
};

// A trainer that counts on the way.
StepwiseTrainer CountingTrainer(const BenchInputs& inputs, StatisticsOptions options) {
  TrainerConfig config;
  config.order = SequenceOrder::kSequential;
  config.statistics = TrainingStatistics{.layers = {std::move(options)}, .include_bos = true};
  return {inputs, std::move(config)};
}

class StepWithStatistics : public BenchRow {
 public:
  explicit StepWithStatistics(const BenchInputs& inputs) : inputs_(inputs) { StartAnew(); }

  Repetition Run() override {
    return {SecondsOf([&] { trainer_->Step(); })};
  }
  // After two steps: at the first all gates are shut.
  absl::StatusOr<double> Compare(const std::string& file) override {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile theirs, SafetensorsFile::Open(file));
    StartAnew();
    trainer_->Step();
    trainer_->Step();
    return CompareSums(trainer_->trainer().statistics(0).Tensors(), ShapeOf(inputs_), theirs.tensors(), kStepTolerance);
  }

 private:
  void StartAnew() {
    trainer_.reset();
    trainer_.emplace(CountingTrainer(inputs_, {}));
  }

  const BenchInputs& inputs_;
  std::optional<StepwiseTrainer> trainer_;
};

class Snapshot : public BenchRow {
 public:
  explicit Snapshot(const BenchInputs& inputs)
      : path_(inputs.folder + "/snapshot.safetensors"), trainer_(CountingTrainer(inputs, Options(inputs))) {
    trainer_.Step();  // makes the sums
  }
  ~Snapshot() override {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  Repetition Run() override {
    TensorMap tensors;
    const double step = SecondsOf([&] { trainer_.Step(); });
    const double pause = SecondsOf([&] { tensors = Copies(); });
    const double write = SecondsOf([&] { Must(WriteSafetensors(path_, tensors, {})); });
    return {step + pause + write,
            {{"step_seconds", step},
             {"pause_seconds", pause},
             {"write_seconds", write},
             {"bytes", static_cast<double>(std::filesystem::file_size(path_))}}};
  }

 private:
  static StatisticsOptions Options(const BenchInputs& inputs) {
    StatisticsOptions options;
    options.pair_ids = at::arange(inputs.transcoder->d_sae() / kSnapshotPairShare, at::kLong);
    return options;
  }
  // As a job makes them: it goes on while they are written.
  TensorMap Copies() const {
    TensorMap tensors = trainer_.trainer().statistics(0).Tensors();
    tensors.merge(trainer_.trainer().midcoder(0).tensors());
    for (auto& [name, tensor] : tensors) tensor = tensor.clone();
    return tensors;
  }

  const std::string path_;
  StepwiseTrainer trainer_;
};

}  // namespace

void AddStatisticsRows(RowMakers& makers) {
  makers["statistics_all_features"] = [](const BenchInputs& inputs) {
    return std::make_unique<Count>(inputs, StatisticsOptions().groups);
  };
  makers["pair_statistics"] = [](const BenchInputs& inputs) {
    return std::make_unique<Count>(inputs, std::set{StatisticsGroup::kFeatures, StatisticsGroup::kPairs});
  };
  makers["step_with_statistics"] = Makes<StepWithStatistics>();
  makers["snapshot"] = Makes<Snapshot>();
}

}  // namespace superpose
