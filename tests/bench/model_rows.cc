#include "tests/bench/model_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "lib/base/budget.h"
#include "lib/midcoder/evaluator.h"
#include "lib/midcoder/midcoder.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {
namespace {

class ModelForward : public BenchRow {
 public:
  explicit ModelForward(const BenchInputs& inputs) : inputs_(inputs) {}

  Repetition Run() override {
    return {SecondsOf([&] { Forward(); })};
  }
  TensorMap Result() override {
    const MlpTensors mlp = Forward();
    return {{"x_hat", mlp.x_hat}, {"out", mlp.out}};
  }

 private:
  MlpTensors Forward() const { return Must(inputs_.model->RunToMlp(inputs_.tokens, inputs_.layer)); }

  const BenchInputs& inputs_;
};

class Encode : public BenchRow {
 public:
  Encode(const BenchInputs& inputs, std::shared_ptr<const Transcoder> transcoder)
      : inputs_(inputs), transcoder_(std::move(transcoder)) {}

  Repetition Run() override {
    return {SecondsOf([&] { Activations(); })};
  }
  TensorMap Result() override {
    const SparseActivations z = Activations();
    return {{"row_splits", z.row_splits}, {"feature_ids", z.feature_ids}, {"values", z.values}};
  }

 private:
  SparseActivations Activations() const { return Must(transcoder_->Encode(inputs_.rows.x_hat)); }

  const BenchInputs& inputs_;
  const std::shared_ptr<const Transcoder> transcoder_;
};

// Of a random midcoder: one of zeros would leave half of the work unseen by the comparison.
class Evaluate : public BenchRow {
 public:
  explicit Evaluate(const BenchInputs& inputs) : inputs_(inputs), midcoder_(RandomMidcoder(inputs)) {}

  Repetition Run() override {
    return {SecondsOf([&] { Evaluation(); })};
  }
  TensorMap Inputs() override { return midcoder_->tensors(); }
  TensorMap Result() override {
    TensorMap figures;
    for (const auto& [name, value] : Evaluation()) figures[name] = at::full({1}, value, at::kDouble);
    return figures;
  }

 private:
  static constexpr int64_t kMostSequences = 8;

  EvaluationResult Evaluation() const {
    const int64_t sequences = std::min(kMostSequences, inputs_.batch);
    const auto evaluator =
        Must(MidcoderEvaluator::Create({inputs_.model, inputs_.transcoder, midcoder_, inputs_.sequences},
                                       {.tokens = sequences * BenchInputs::kLength, .batch_size = sequences}));
    Must(evaluator->RunSlice(Budget::Unlimited()));
    return evaluator->result();
  }

  const BenchInputs& inputs_;
  const std::shared_ptr<const Midcoder> midcoder_;
};

}  // namespace

void AddModelRows(RowMakers& makers) {
  makers["model_forward"] = Makes<ModelForward>();
  makers["encode"] = [](const BenchInputs& inputs) { return std::make_unique<Encode>(inputs, inputs.transcoder); };
  makers["encode_int8"] = [](const BenchInputs& inputs) {
    const TranscoderFiles files{.path = inputs.folder + "/transcoder.pt", .log_sparsity_path = ""};
    return std::make_unique<Encode>(inputs, Must(Transcoder::Load(files, at::kCPU, {.int8_prefilter = true})));
  };
  makers["evaluate"] = Makes<Evaluate>();
}

}  // namespace superpose
