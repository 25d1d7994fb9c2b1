// Our side of the bench: superpose_bench FOLDER BATCH THREADS. Reads lines on standard input (tests/bench/run.py):
//   ROW               runs it once; prints the seconds it took, and what else it measured as name=value
//   write_rows FILE   writes what the rows of statistics count
//   compare ROW FILE  counts anew; prints the largest relative difference to the reference's sums
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/budget.h"
#include "lib/kernels/compute_thread.h"
#include "lib/midcoder/evaluator.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/model/model.h"
#include "lib/transcoder/transcoder.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/statistics_rows.h"

namespace superpose {
namespace {

constexpr int64_t kRowsPerTile = 512;

class Bench {
 public:
  Bench(const std::string& folder, int64_t batch)
      : inputs_(LoadBenchInputs(folder, batch)), gradients_(at::empty_like(inputs_.rows.pre)), statistics_(inputs_) {}

  StatisticsRowsBench& statistics() { return statistics_; }

  void ModelForward() { Must(inputs_.model->RunToMlp(inputs_.tokens, inputs_.layer)); }

  void Encode() { Must(inputs_.transcoder->Encode(inputs_.rows.x_hat)); }

  void StepDMlp() {
    const Transcoder& transcoder = *inputs_.transcoder;
    const MlpRows& targets = inputs_.rows;
    if (!step_) step_.emplace(inputs_.model, inputs_.transcoder, ZeroMidcoder(), 1.0);
    const SparseActivations activations = Must(transcoder.Encode(targets.x_hat));
    const int64_t rows = targets.x_hat.size(0);
    step_->BeginStep(rows);
    for (int64_t row = 0; row < rows; row += kRowsPerTile) {
      const int64_t count = std::min(kRowsPerTile, rows - row);
      const auto tile = [&](const at::Tensor& tensor) { return tensor.narrow(0, row, count); };
      step_->RunTile(SliceRows(activations, row, row + count),
                     {tile(targets.x_hat), tile(targets.pre), tile(targets.out)}, tile(gradients_));
    }
    step_->PrepareUpdate(activations);
    const AdamWSettings settings{.step = ++steps_};
    step_->UpdateFeatures(gradients_, 0, transcoder.d_sae(), settings);
    step_->UpdateBiases(settings);
  }

  void Iteration() {
    if (!trainer_) trainer_.emplace(inputs_, TrainerConfig());
    trainer_->Step();
  }

  void Evaluate() {
    constexpr int64_t kSequences = 8;
    if (midcoder_ == nullptr) midcoder_ = std::make_shared<Midcoder>(ZeroMidcoder());
    const auto evaluator =
        Must(MidcoderEvaluator::Create({inputs_.model, inputs_.transcoder, midcoder_, inputs_.sequences},
                                       {.tokens = kSequences * BenchInputs::kLength, .batch_size = kSequences}));
    Must(evaluator->RunSlice(Budget::Unlimited()));
  }

  // The rows before have been run; theirs is the memory that those of statistics need.
  void ReleaseMidcoders() {
    step_.reset();
    trainer_.reset();
    midcoder_.reset();
  }

 private:
  Midcoder ZeroMidcoder() const {
    return Midcoder::Zero(MidForm::kDMlp, MidGate::kRelu, inputs_.layer, *inputs_.model, inputs_.transcoder->d_sae());
  }

  const BenchInputs inputs_;
  at::Tensor gradients_;
  std::optional<LayerTrainer> step_;
  int64_t steps_ = 0;
  std::optional<StepwiseTrainer> trainer_;
  std::shared_ptr<const Midcoder> midcoder_;
  StatisticsRowsBench statistics_;
};

// What a row says beside its seconds.
using Fields = std::map<std::string, double>;

std::map<std::string, std::function<Fields()>> RowsOf(Bench& bench) {
  const auto plain = [&bench](auto run) {
    return [&bench, run] {
      run(bench);
      return Fields();
    };
  };
  return {{"model_forward", plain([](Bench& b) { b.ModelForward(); })},
          {"encode", plain([](Bench& b) { b.Encode(); })},
          {"step_d_mlp", plain([](Bench& b) { b.StepDMlp(); })},
          {"iteration", plain([](Bench& b) { b.Iteration(); })},
          {"evaluate", plain([](Bench& b) { b.Evaluate(); })},
          {"statistics_all_features", plain([](Bench& b) { b.statistics().AllFeatures(); })},
          {"pair_statistics", plain([](Bench& b) { b.statistics().Pairs(); })},
          {"step_with_statistics", plain([](Bench& b) { b.statistics().Step(); })},
          {"snapshot", [&bench] { return bench.statistics().Snapshot(); }}};
}

// Commands that are not timed; an empty answer where it is none.
std::string Answer(Bench& bench, const std::vector<std::string>& words) {
  if (words.size() == 2 && words[0] == "write_rows") {
    bench.ReleaseMidcoders();
    bench.statistics().WriteRows(words[1]);
    return "ok";
  }
  if (words.size() == 3 && words[0] == "compare") {
    bench.ReleaseMidcoders();
    return absl::StrCat(bench.statistics().Compare(words[1], words[2]));
  }
  return "";
}

bool RunRow(const std::map<std::string, std::function<Fields()>>& rows, const std::string& row) {
  const auto found = rows.find(row);
  if (found == rows.end()) {
    std::cerr << "superpose_bench: no row \"" << row << "\"\n";
    return false;
  }
  const auto start = std::chrono::steady_clock::now();
  const Fields fields = found->second();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::cout << std::setprecision(12) << took.count();
  for (const auto& [name, value] : fields) std::cout << ' ' << name << '=' << value;
  std::cout << '\n' << std::flush;
  return true;
}

int Serve(Bench& bench) {
  const auto rows = RowsOf(bench);
  std::cout << "ready\n" << std::flush;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string answer = Answer(bench, absl::StrSplit(line, ' '));
    if (!answer.empty()) {
      std::cout << answer << '\n' << std::flush;
    } else if (!RunRow(rows, line)) {
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace superpose

int main(int argc, char** argv) {
  int64_t batch = 0;
  int threads = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &batch) || !absl::SimpleAtoi(argv[3], &threads)) {
    std::fprintf(stderr, "usage: superpose_bench FOLDER BATCH THREADS\n");
    return 2;
  }
  superpose::KeepFreedPages();
  superpose::ConfigureComputeThread(threads);
  superpose::Bench bench(argv[1], batch);
  return superpose::Serve(bench);
}
