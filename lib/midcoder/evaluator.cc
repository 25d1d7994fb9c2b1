#include "lib/midcoder/evaluator.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

absl::Status CheckInputs(const EvaluatorInputs& inputs, const EvaluatorConfig& config) {
  if (config.tokens < 1)
    return InvalidArgument(reason::kConfigInvalid, "tokens is ", config.tokens, "; it must be 1 or more");
  if (config.batch_size < 1) {
    return InvalidArgument(reason::kConfigInvalid, "batch_size is ", config.batch_size, "; it must be 1 or more");
  }
  const Model& model = *inputs.model;
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(inputs.midcoder->layer()));
  const int64_t features = inputs.midcoder->parameters().W_mid.size(0);
  if (inputs.transcoder->d_model() != model.config().d_model || inputs.transcoder->d_sae() != features) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder has d_model ", inputs.transcoder->d_model(),
                           " and ", inputs.transcoder->d_sae(), " features; the model has d_model ",
                           model.config().d_model, ", the midcoder ", features, " features");
  }
  if (inputs.sequences->length() > model.config().n_positions) {
    return InvalidArgument(reason::kContextExceeded, "sequences have ", inputs.sequences->length(),
                           " tokens; the model takes at most ", model.config().n_positions);
  }
  if (inputs.sequences->count() < 1 || inputs.sequences->length() < 2) {
    return InvalidArgument(reason::kCorpusTooSmall, "the corpus has ", inputs.sequences->count(), " sequences of ",
                           inputs.sequences->length(), " tokens; one or more of 2 tokens or more are needed");
  }
  return absl::OkStatus();
}

at::Tensor SquaredErrorByToken(const at::Tensor& actual, const at::Tensor& expected) {
  return (actual.view_as(expected) - expected).square().sum(-1, /*keepdim=*/false, at::kDouble);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MidcoderEvaluator>> MidcoderEvaluator::Create(EvaluatorInputs inputs,
                                                                             EvaluatorConfig config) {
  SUPERPOSE_RETURN_IF_ERROR(CheckInputs(inputs, config));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<MidcoderEvaluator>> {
    return std::unique_ptr<MidcoderEvaluator>(new MidcoderEvaluator(std::move(inputs), config));
  });
}

MidcoderEvaluator::MidcoderEvaluator(EvaluatorInputs inputs, EvaluatorConfig config)
    : inputs_(std::move(inputs)), config_(config), length_(inputs_.sequences->length()), walk_(model()) {
  const int64_t count = inputs_.sequences->count();
  const int64_t wanted = std::min(config_.tokens, count * length_);
  const int64_t batch = std::min(config_.batch_size, count);
  const int64_t batches = (wanted + length_ * batch - 1) / (length_ * batch);
  total_sequences_ = std::min(batches * batch, count);
  const int64_t chunk = SequencesPerChunk(length_);
  const int64_t window_chunks = std::max<int64_t>(1, kWindowTokens / (chunk * length_));
  window_sequences_ = std::min(window_chunks * chunk, total_sequences_);
  const auto options = at::TensorOptions(model().device()).dtype(at::kDouble);
  out_sum_ = at::zeros({model().config().d_model}, options);
  relu_out_sum_ = at::zeros_like(out_sum_);
}

absl::StatusOr<bool> MidcoderEvaluator::RunSlice(const Budget& budget) {
  SUPERPOSE_RETURN_IF_ERROR(failure_);
  while (phase_ != Phase::kDone) {
    failure_ = CatchTorch([&] { return RunUnit(); });
    SUPERPOSE_RETURN_IF_ERROR(failure_);
    if (budget.Exhausted()) break;
  }
  return phase_ == Phase::kDone;
}

absl::Status MidcoderEvaluator::RunUnit() {
  switch (phase_) {
    case Phase::kWindow:
    case Phase::kPrefix:
      return WalkToMlp();
    case Phase::kEncode:
      Encode();
      return absl::OkStatus();
    case Phase::kReplace:
      Replace();
      return absl::OkStatus();
    case Phase::kRest:
      RunRestBlock();
      return absl::OkStatus();
    case Phase::kScore:
      return ScoreTile();
    case Phase::kDone:
      break;
  }
  return absl::OkStatus();
}

int64_t MidcoderEvaluator::chunk_sequences() const {
  return std::min(SequencesPerChunk(length_), total_sequences_ - sequence_);
}

absl::Status MidcoderEvaluator::LoadChunk() {
  std::vector<int64_t> indices(chunk_sequences());
  std::iota(indices.begin(), indices.end(), sequence_);
  const at::Tensor tokens = inputs_.sequences->Gather(indices);
  SUPERPOSE_RETURN_IF_ERROR(model().CheckTokens(tokens));
  tokens_ = tokens.to(model().device());
  starts_with_bos_ = tokens_.select(1, 0).eq(model().config().bos_token_id);
  return absl::OkStatus();
}

// One block of the chunk, up to its MLP.
absl::Status MidcoderEvaluator::WalkToMlp() {
  if (!walk_.running()) {
    SUPERPOSE_RETURN_IF_ERROR(LoadChunk());
    walk_.Start(tokens_);
  }
  if (walk_.next_layer() < layer()) {
    walk_.RunBlock({});
    return absl::OkStatus();
  }
  mlp_ = walk_.RunBlock();
  walk_.Stop();
  if (phase_ == Phase::kWindow) return AddToMeans();
  StartEncoding();
  return absl::OkStatus();
}

// relu(pre) W_out
at::Tensor MidcoderEvaluator::ReluOut() const {
  const at::Tensor out = at::empty_like(mlp_.out);
  LinearInto(mlp_.pre.relu().flatten(0, 1), model().layer_tensor(layer(), "W_out"), {}, LinearEnd::kNothing,
             out.flatten(0, 1));
  return out;
}

absl::Status MidcoderEvaluator::AddToMeans() {
  const at::Tensor relu_out = ReluOut();
  const auto sum_without_bos = [&](const at::Tensor& rows) {
    at::Tensor copy = rows.to(at::kDouble);
    copy.select(1, 0).masked_fill_(starts_with_bos_.unsqueeze(1), 0);
    return copy.sum(at::IntArrayRef{0, 1});
  };
  out_sum_.add_(sum_without_bos(mlp_.out));
  relu_out_sum_.add_(sum_without_bos(relu_out));
  window_tokens_ += static_cast<double>(tokens_.numel()) - starts_with_bos_.sum().item<double>();
  window_.push_back(std::move(mlp_));
  sequence_ += chunk_sequences();
  return sequence_ < window_sequences_ ? absl::OkStatus() : FinishWindow();
}

absl::Status MidcoderEvaluator::FinishWindow() {
  mean_out_ = (out_sum_ / window_tokens_).to(at::kFloat);
  relu_gate_bias_ = ((out_sum_ - relu_out_sum_) / window_tokens_).to(at::kFloat);
  sums_.emplace(mean_out_, model().config().d_mlp);
  sequence_ = 0;
  return NextChunk();
}

// Takes the chunk at sequence_ from the window, or has its forward pass run.
absl::Status MidcoderEvaluator::NextChunk() {
  phase_ = sequence_ < total_sequences_ ? Phase::kPrefix : Phase::kDone;
  if (phase_ == Phase::kDone || window_chunk_ == window_.size()) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(LoadChunk());
  mlp_ = std::move(window_[window_chunk_++]);
  StartEncoding();
  return absl::OkStatus();
}

void MidcoderEvaluator::StartEncoding() {
  encoder_.emplace(*inputs_.transcoder, mlp_.x_hat.flatten(0, 1));
  phase_ = Phase::kEncode;
}

void MidcoderEvaluator::Encode() {
  encoder_->EncodeNextTile();
  if (!encoder_->done()) return;
  activations_ = encoder_->Take();
  encoder_.reset();
  phase_ = Phase::kReplace;
}

at::Tensor MidcoderEvaluator::KeepBos(const at::Tensor& replacement) const {
  at::Tensor rows = replacement.expand_as(mlp_.out);
  if (!config_.keep_bos) return rows;
  rows = rows.clone();
  rows.select(1, 0).copy_(at::where(starts_with_bos_.unsqueeze(1), mlp_.out.select(1, 0), rows.select(1, 0)));
  return rows;
}

void MidcoderEvaluator::Replace() {
  const MidcoderOutput midcoder = inputs_.midcoder->Apply(model(), activations_);
  const at::Tensor transcoder_out = inputs_.transcoder->DecodeRows(activations_, mlp_.x_hat.flatten(0, 1));
  sums_->AddErrors({.mid = SquaredErrorByToken(midcoder.mid, mlp_.pre),
                    .out = SquaredErrorByToken(midcoder.mlp_out, mlp_.out),
                    .out_transcoder = SquaredErrorByToken(transcoder_out, mlp_.out)},
                   mlp_.out, starts_with_bos_);
  const at::Tensor relu_out = ReluOut();
  const auto splice = [&](EvaluationVariant variant, const at::Tensor& replacement) {
    resid_[variant] = mlp_.resid_mid + KeepBos(replacement);
  };
  splice(kModelVariant, mlp_.out);
  splice(kMidcoderVariant, midcoder.mlp_out.view_as(mlp_.out));
  splice(kTranscoderVariant, transcoder_out.view_as(mlp_.out));
  splice(kZeroVariant, at::zeros_like(mean_out_));
  splice(kMeanVariant, mean_out_);
  splice(kReluGateVariant, relu_out + relu_gate_bias_);
  variant_ = 0;
  next_layer_ = layer() + 1;
  if (next_layer_ == model().config().n_layers) return StartScoring();
  phase_ = Phase::kRest;
}

void MidcoderEvaluator::RunRestBlock() {
  model().RunBlock(next_layer_, resid_[variant_], walk_.workspace());
  if (++next_layer_ < model().config().n_layers) return;
  next_layer_ = layer() + 1;
  if (++variant_ < kVariants) return;
  StartScoring();
}

// What the unembedding reads at the positions that predict takes the residuals' place.
void MidcoderEvaluator::StartScoring() {
  const at::Tensor targets = tokens_.narrow(1, 1, length_ - 1).flatten().to(at::kLong);
  const int64_t rows = targets.size(0);
  for (size_t v = 0; v < kVariants; ++v) {
    resid_[v] = model().Normalize(resid_[v].narrow(1, 0, length_ - 1)).flatten(0, 1);
    logit_sums_.emplace_back(targets);
    divergences_.emplace_back(rows, targets.device());
  }
  const int64_t room = rows * Model::kVocabularyTile;
  for (at::Tensor* logits : {&model_logits_, &logits_}) {
    if (!logits->defined() || logits->numel() < room) *logits = at::empty({room}, mean_out_.options());
  }
  token_ = 0;
  phase_ = Phase::kScore;
}

// A tile of the vocabulary for all variants; the model comes first, for the others' KL.
absl::Status MidcoderEvaluator::ScoreTile() {
  at::Tensor model_logits;
  for (size_t v = 0; v < kVariants; ++v) {
    const at::Tensor logits = model().Logits(resid_[v], token_, v == kModelVariant ? model_logits_ : logits_);
    logit_sums_[v].Add(logits, token_);
    if (v == kModelVariant)
      model_logits = logits;
    else
      divergences_[v].Add(model_logits, logits);
  }
  token_ += Model::kVocabularyTile;
  return token_ < model().config().vocab_size ? absl::OkStatus() : FinishChunk();
}

absl::Status MidcoderEvaluator::FinishChunk() {
  const std::array<int64_t, 2> shape = {tokens_.size(0), length_ - 1};
  const at::Tensor model_log_sum = logit_sums_[kModelVariant].LogSum();
  for (size_t v = 0; v < kVariants; ++v) {
    const at::Tensor kl = divergences_[v].Divergences(model_log_sum, logit_sums_[v].LogSum());
    sums_->AddLosses(static_cast<EvaluationVariant>(v), logit_sums_[v].Losses().view(shape), kl.view(shape),
                     starts_with_bos_);
  }
  logit_sums_.clear();
  divergences_.clear();
  resid_ = {};
  sequence_ += tokens_.size(0);
  return NextChunk();
}

}  // namespace superpose
