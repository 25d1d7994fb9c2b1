#include "tests/bench/bench_inputs.h"

#include <ATen/ATen.h>

#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
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

std::vector<std::shared_ptr<const Transcoder>> LoadAllTranscoders(const BenchInputs& inputs) {
  std::vector<std::shared_ptr<const Transcoder>> transcoders;
  for (int64_t layer = 0; layer < inputs.model->config().n_layers; ++layer) {
    const std::string path = absl::StrCat(inputs.folder, "/transcoders/", layer, ".pt");
    transcoders.push_back(layer == inputs.layer
                              ? inputs.transcoder
                              : Must(Transcoder::Load({.path = path, .log_sparsity_path = ""}, at::kCPU)));
  }
  return transcoders;
}

std::shared_ptr<const Midcoder> RandomMidcoder(const BenchInputs& inputs) {
  constexpr double kScale = 0.02;
  Midcoder midcoder =
      Midcoder::Zero(MidForm::kDMlp, MidGate::kRelu, inputs.layer, *inputs.model, inputs.transcoder->d_sae());
  at::manual_seed(0);
  midcoder.parameters().W_mid.normal_(0, kScale);
  return std::make_shared<const Midcoder>(std::move(midcoder));
}

StepwiseTrainer::StepwiseTrainer(const BenchInputs& inputs, TrainerConfig config)
    : StepwiseTrainer(inputs, std::move(config), {inputs.transcoder}) {}

StepwiseTrainer::StepwiseTrainer(const BenchInputs& inputs, TrainerConfig config,
                                 std::vector<std::shared_ptr<const Transcoder>> transcoders) {
  config.layers.resize(transcoders.size(), inputs.layer);
  if (transcoders.size() > 1) std::iota(config.layers.begin(), config.layers.end(), 0);
  config.batch_size = inputs.batch;
  trainer_ = Must(
      MidcoderTrainer::Create({inputs.model, std::move(transcoders), inputs.sequences, "bench"}, std::move(config)));
}

void StepwiseTrainer::Step() {
  Must(trainer_->RunSlice(Budget([this] { return trainer_->at_step_boundary(); })));
}

void StepwiseTrainer::Restore(const TensorMap& tensors, const StringMap& metadata) {
  Must(trainer_->Restore(tensors, metadata));
}

}  // namespace superpose
