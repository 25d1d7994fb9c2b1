// Evaluates a midcoder against the model, its transcoder and simple baselines, in slices that give way between units of
// work of about 50 ms. The forward pass up to the MLP runs once for all of them; each then replaces the MLP's output,
// and the rest of the model runs for it.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/corpus/corpus.h"
#include "lib/kernels/logit_sums.h"
#include "lib/midcoder/evaluation_sums.h"
#include "lib/midcoder/midcoder.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/model/model.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

struct EvaluatorConfig {
  int64_t tokens =
      20'000;  // evaluate about this many, BOS included, rounded up to whole batches; less when the corpus ends before
  int64_t batch_size = 16;  // sequences
  bool keep_bos = false;    // BOS positions keep the model's own MLP output in every variant
};

struct EvaluatorInputs {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Transcoder> transcoder;
  std::shared_ptr<const Midcoder> midcoder;
  std::shared_ptr<const TokenSequences> sequences;  // read in order from the start, none twice
};

// What stands in the MLP's place (EvaluationVariant): the model's own output, the midcoder's, the transcoder's, zero
// (bias included), the mean output, and relu(pre) W_out plus the bias that fits it best. Those two means are taken over
// the tokens but BOS of a first window of at most 16,384 tokens. A BOS position is position 0 of a sequence when its id
// is the model's BOS.
class MidcoderEvaluator {
 public:
  // Of the first window, at most.
  static constexpr int64_t kWindowTokens = 16'384;

  // CONFIG_INVALID, LAYER_OUT_OF_RANGE, TRANSCODER_MISMATCH, CONTEXT_EXCEEDED, CORPUS_TOO_SMALL.
  static absl::StatusOr<std::unique_ptr<MidcoderEvaluator>> Create(EvaluatorInputs inputs, EvaluatorConfig config);

  // Works until the budget is exhausted or all is done, at least one unit; true when all is done. After an error every
  // call returns it.
  absl::StatusOr<bool> RunSlice(const Budget& budget);

  int64_t tokens_total() const { return total_sequences_ * length_; }
  int64_t tokens_done() const { return phase_ == Phase::kWindow ? 0 : sequence_ * length_; }
  // When all is done.
  EvaluationResult result() const { return sums_->Result(); }

 private:
  enum class Phase { kWindow, kPrefix, kEncode, kReplace, kRest, kScore, kDone };
  static constexpr size_t kVariants = kVariantNames.size();

  MidcoderEvaluator(EvaluatorInputs inputs, EvaluatorConfig config);

  absl::Status RunUnit();
  absl::Status WalkToMlp();
  at::Tensor ReluOut() const;
  absl::Status AddToMeans();
  absl::Status FinishWindow();
  absl::Status NextChunk();
  void StartEncoding();
  void Encode();
  void Replace();
  at::Tensor KeepBos(const at::Tensor& replacement) const;
  void RunRestBlock();
  void StartScoring();
  absl::Status ScoreTile();
  absl::Status FinishChunk();

  const Model& model() const { return *inputs_.model; }
  int64_t layer() const { return inputs_.midcoder->layer(); }
  absl::Status LoadChunk();
  int64_t chunk_sequences() const;

  const EvaluatorInputs inputs_;
  const EvaluatorConfig config_;
  const int64_t length_;
  int64_t total_sequences_ = 0;
  int64_t window_sequences_ = 0;
  absl::Status failure_;
  Phase phase_ = Phase::kWindow;

  // The window: MLP tensors of its chunks, and sums over its tokens but BOS.
  std::vector<MlpTensors> window_;
  size_t window_chunk_ = 0;  // the next to be evaluated
  at::Tensor out_sum_;       // float64 [d_model]: of out
  at::Tensor relu_out_sum_;  // float64 [d_model]: of relu(pre) W_out
  double window_tokens_ = 0;
  at::Tensor mean_out_;        // float32 [d_model]
  at::Tensor relu_gate_bias_;  // float32 [d_model]
  std::optional<EvaluationSums> sums_;

  // The chunk under way.
  int64_t sequence_ = 0;        // its first
  at::Tensor tokens_;           // [sequences, length] on the device
  at::Tensor starts_with_bos_;  // bool [sequences]
  PrefixWalk walk_;
  MlpTensors mlp_;
  std::optional<ActivationEncoder> encoder_;
  SparseActivations activations_;
  std::array<at::Tensor, kVariants> resid_;  // then the normalised rows that predict
  size_t variant_ = 0;
  int64_t next_layer_ = 0;
  std::vector<LogitSums> logit_sums_;        // by variant
  std::vector<DivergenceSums> divergences_;  // by variant; the model's own stays empty
  at::Tensor model_logits_, logits_;         // room for a tile
  int64_t token_ = 0;                        // the first of the vocabulary's next tile
};

}  // namespace superpose
