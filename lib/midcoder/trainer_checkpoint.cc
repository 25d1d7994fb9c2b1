// Checkpoints of MidcoderTrainer.
#include <ATen/ATen.h>

#include <cassert>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/midcoder/checkpoint_checks.h"
#include "lib/midcoder/statistics_checkpoint.h"
#include "lib/midcoder/trainer.h"

namespace superpose {
namespace {

constexpr char kFormat[] = "superpose-midcoder-checkpoint-1";

void AppendVariant(std::string* out, const TrainerVariant& variant) {
  absl::StrAppend(out, ExactText(variant.lr), ",", ExactText(variant.weight_decay), ",",
                  ExactText(variant.mse_out_param), ",", variant.seed);
}

}  // namespace

// Everything that a resumed run must share with the one that wrote the checkpoint.
StringMap MidcoderTrainer::Identity() const {
  StringMap identity{{"model", inputs_.model->content_hash()},
                     {"corpus", inputs_.corpus_hash},
                     {"config.form", config_.form == MidForm::kDMlp ? "d_mlp" : "d_model"},
                     {"config.gate", config_.gate == MidGate::kRelu ? "relu" : "model"},
                     {"config.layers", absl::StrJoin(config_.layers, ",")},
                     {"config.steps", absl::StrCat(config_.steps)},
                     {"config.batch_size", absl::StrCat(config_.batch_size)},
                     {"config.context_length", absl::StrCat(length_)},
                     {"config.steps_per_epoch", absl::StrCat(config_.steps_per_epoch)},
                     {"config.lr", ExactText(config_.lr)},
                     {"config.weight_decay", ExactText(config_.weight_decay)},
                     {"config.adam_eps", ExactText(config_.adam_eps)},
                     {"config.mse_out_param", ExactText(config_.mse_out_param)},
                     {"config.order", config_.order == SequenceOrder::kShuffled ? "shuffled" : "sequential"},
                     {"config.seed", absl::StrCat(config_.seed)}};
  if (!config_.sweep.empty()) identity["config.sweep"] = absl::StrJoin(variants_, ";", AppendVariant);
  if (statistics_) {
    identity["config.statistics.include_bos"] = config_.statistics->include_bos ? "true" : "false";
    identity.merge(IdentityOfSums(statistics_->sums()));
  }
  for (size_t i = 0; i < config_.layers.size(); ++i) {
    identity[absl::StrCat("transcoder.layer", config_.layers[i])] = inputs_.transcoders[i]->content_hash();
  }
  return identity;
}

TensorMap MidcoderTrainer::CheckpointTensors() const {
  assert(at_step_boundary());
  TensorMap tensors = StateTensors();
  if (statistics_) tensors.merge(CheckpointOfSums(statistics_->sums()));
  return tensors;
}

TensorMap MidcoderTrainer::StateTensors() const {
  TensorMap tensors;
  for (int64_t index = 0; index < midcoders(); ++index) {
    std::string prefix = absl::StrCat("layer", midcoder(index).layer(), ".");
    if (!config_.sweep.empty()) absl::StrAppend(&prefix, "variant", index % variants(), ".");
    for (const auto& [name, tensor] : trained_[index].StateTensors()) tensors[prefix + name] = tensor;
  }
  return tensors;
}

StringMap MidcoderTrainer::CheckpointMetadata() const {
  StringMap metadata = Identity();
  metadata["format"] = kFormat;
  metadata["step"] = absl::StrCat(step_);
  metadata["sequences_taken"] = absl::StrCat(samplers_[0].sequences_taken());
  return metadata;
}

absl::Status MidcoderTrainer::Restore(const TensorMap& tensors, const StringMap& metadata) {
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointFormat(metadata, kFormat));
  SUPERPOSE_RETURN_IF_ERROR(CheckSameInputs(Identity(), metadata));
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t step, ReadCount(metadata, "step"));
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t sequences_taken, ReadCount(metadata, "sequences_taken"));
  if (step > config_.steps) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint is at step ", step, " of ", config_.steps);
  }
  if (sequences_taken / config_.batch_size != step || sequences_taken % config_.batch_size != 0) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint has taken ", sequences_taken, " sequences in ", step,
                           " steps of ", config_.batch_size);
  }
  const TensorMap state = StateTensors();
  return CatchTorch([&] {
    for (const auto& [name, tensor] : state) {
      SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, name, at::kFloat, tensor.sizes()));
    }
    if (statistics_) {
      SUPERPOSE_RETURN_IF_ERROR(CheckSums(statistics_->sums(), tensors));
      SUPERPOSE_RETURN_IF_ERROR(RestoreSums(statistics_->sums(), tensors));
    }
    for (const auto& [name, tensor] : state) tensor.copy_(tensors.at(name));
    step_ = step;
    for (SequenceSampler& sampler : samplers_) sampler.Seek(sequences_taken);
    history_.clear();
    phase_ = Phase::kStart;
    walk_.Stop();
    encoder_.reset();
    failure_ = absl::OkStatus();
    return absl::OkStatus();
  });
}

}  // namespace superpose
