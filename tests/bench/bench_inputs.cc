#include "tests/bench/bench_inputs.h"

#include <ATen/ATen.h>

#include <numeric>
#include <vector>

#include "lib/base/budget.h"

namespace superpose {

BenchInputs LoadBenchInputs(const std::string& folder, int64_t batch) {
  BenchInputs inputs;
  inputs.folder = folder;
  inputs.batch = batch;
  inputs.model = Must(Model::Load(folder + "/model", at::kCPU));
  inputs.transcoder = Must(Transcoder::Load({.path = folder + "/transcoder.pt", .log_sparsity_path = ""}, at::kCPU));
  inputs.layer = inputs.transcoder->declared_layer();
  const ModelConfig& config = inputs.model->config();
  CorpusFiles files;
  files.paths = {folder + "/tokens.npy"};
  const auto corpus = Must(Corpus::Load(files, nullptr, config.vocab_size, config.bos_token_id, config.eos_token_id));
  inputs.sequences = Must(corpus->Sequences(BenchInputs::kLength, CorpusSplit::kAll));
  std::vector<int64_t> first(batch);
  std::iota(first.begin(), first.end(), 0);
  inputs.tokens = inputs.sequences->Gather(first);
  const MlpTensors mlp = Must(inputs.model->RunToMlp(inputs.tokens, inputs.layer));
  inputs.rows = {mlp.x_hat.flatten(0, 1), mlp.pre.flatten(0, 1), mlp.out.flatten(0, 1)};
  return inputs;
}

StepwiseTrainer::StepwiseTrainer(const BenchInputs& inputs, TrainerConfig config) {
  config.layers = {inputs.layer};
  config.batch_size = inputs.batch;
  trainer_ =
      Must(MidcoderTrainer::Create({inputs.model, {inputs.transcoder}, inputs.sequences, "bench"}, std::move(config)));
}

void StepwiseTrainer::Step() {
  Must(trainer_->RunSlice(Budget([this] { return trainer_->at_step_boundary(); })));
}

}  // namespace superpose
