// Our side of the bench: superpose_bench FOLDER BATCH THREADS. Reads row names on standard input, runs each once, and
// prints the seconds it took (tests/bench/run.py).
#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "lib/base/budget.h"
#include "lib/corpus/corpus.h"
#include "lib/kernels/compute_thread.h"
#include "lib/midcoder/evaluator.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/midcoder/trainer.h"
#include "lib/model/model.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {
namespace {

constexpr int64_t kLength = 128;
constexpr int64_t kRowsPerTile = 512;

// The value, or the end of the program with what went wrong.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "superpose_bench: %s\n", std::string(value.status().message()).c_str());
  std::exit(1);
}

// One step of training after another: the budget ends at each step's end.
class StepwiseTrainer {
 public:
  StepwiseTrainer(TrainerInputs inputs, TrainerConfig config)
      : trainer_(Must(MidcoderTrainer::Create(std::move(inputs), std::move(config)))) {}
  void Step() {
    Must(trainer_->RunSlice(Budget([this] { return trainer_->at_step_boundary(); })));
  }

 private:
  std::unique_ptr<MidcoderTrainer> trainer_;
};

class Bench {
 public:
  Bench(const std::string& folder, int64_t batch)
      : model_(Must(Model::Load(folder + "/model", at::kCPU))),
        transcoder_(Must(Transcoder::Load({.path = folder + "/transcoder.pt", .log_sparsity_path = ""}, at::kCPU))),
        layer_(transcoder_->declared_layer()),
        batch_(batch) {
    const ModelConfig& config = model_->config();
    const auto corpus = Must(Corpus::Load({.paths = {folder + "/tokens.npy"}}, nullptr, config.vocab_size,
                                          config.bos_token_id, config.eos_token_id));
    sequences_ = Must(corpus->Sequences(kLength, CorpusSplit::kAll));
    std::vector<int64_t> first(batch);
    for (int64_t i = 0; i < batch; ++i) first[i] = i;
    tokens_ = sequences_->Gather(first);
    const MlpTensors mlp = Must(model_->RunToMlp(tokens_, layer_));
    rows_ = {mlp.x_hat.flatten(0, 1), mlp.pre.flatten(0, 1), mlp.out.flatten(0, 1)};
    gradients_ = at::empty_like(rows_.pre);
  }

  void ModelForward() { Must(model_->RunToMlp(tokens_, layer_)); }

  void Encode() { Must(transcoder_->Encode(rows_.x_hat)); }

  void StepDMlp() {
    if (!step_) {
      step_.emplace(model_, transcoder_,
                    Midcoder::Zero(MidForm::kDMlp, MidGate::kRelu, layer_, *model_, transcoder_->d_sae()), 1.0);
    }
    const SparseActivations activations = Must(transcoder_->Encode(rows_.x_hat));
    const int64_t rows = rows_.x_hat.size(0);
    step_->BeginStep(rows);
    for (int64_t row = 0; row < rows; row += kRowsPerTile) {
      const int64_t count = std::min(kRowsPerTile, rows - row);
      const auto tile = [&](const at::Tensor& tensor) { return tensor.narrow(0, row, count); };
      step_->RunTile(SliceRows(activations, row, row + count), {tile(rows_.x_hat), tile(rows_.pre), tile(rows_.out)},
                     tile(gradients_));
    }
    step_->PrepareUpdate(activations);
    const AdamWSettings settings{.step = ++steps_};
    step_->UpdateFeatures(gradients_, 0, transcoder_->d_sae(), settings);
    step_->UpdateBiases(settings);
  }

  void Iteration() {
    if (!trainer_) {
      TrainerConfig config;
      config.layers = {layer_};
      config.batch_size = batch_;
      trainer_.emplace(TrainerInputs{model_, {transcoder_}, sequences_, "bench"}, config);
    }
    trainer_->Step();
  }

  void Evaluate() {
    constexpr int64_t kSequences = 8;
    if (midcoder_ == nullptr) {
      midcoder_ = std::make_shared<Midcoder>(
          Midcoder::Zero(MidForm::kDMlp, MidGate::kRelu, layer_, *model_, transcoder_->d_sae()));
    }
    const auto evaluator = Must(MidcoderEvaluator::Create({model_, transcoder_, midcoder_, sequences_},
                                                          {.tokens = kSequences * kLength, .batch_size = kSequences}));
    Must(evaluator->RunSlice(Budget::Unlimited()));
  }

 private:
  const std::shared_ptr<const Model> model_;
  const std::shared_ptr<const Transcoder> transcoder_;
  const int64_t layer_;
  const int64_t batch_;
  std::shared_ptr<const TokenSequences> sequences_;
  at::Tensor tokens_;
  MlpRows rows_;
  at::Tensor gradients_;
  std::optional<LayerTrainer> step_;
  int64_t steps_ = 0;
  std::optional<StepwiseTrainer> trainer_;
  std::shared_ptr<const Midcoder> midcoder_;
};

int Serve(Bench& bench) {
  const std::map<std::string, std::function<void()>> rows = {{"model_forward", [&] { bench.ModelForward(); }},
                                                             {"encode", [&] { bench.Encode(); }},
                                                             {"step_d_mlp", [&] { bench.StepDMlp(); }},
                                                             {"iteration", [&] { bench.Iteration(); }},
                                                             {"evaluate", [&] { bench.Evaluate(); }}};
  std::cout << "ready\n" << std::flush;
  for (std::string row; std::getline(std::cin, row);) {
    const auto found = rows.find(row);
    if (found == rows.end()) {
      std::cerr << "superpose_bench: no row \"" << row << "\"\n";
      return 1;
    }
    const auto start = std::chrono::steady_clock::now();
    found->second();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cout << took.count() << '\n' << std::flush;
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
