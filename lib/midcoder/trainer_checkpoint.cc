// Checkpoints of MidcoderTrainer.
#include <ATen/ATen.h>

#include <cassert>
#include <charconv>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/midcoder/trainer.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {
namespace {

constexpr char kFormat[] = "superpose-midcoder-checkpoint-1";

// The shortest text that reads back as the same number.
std::string Exactly(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return std::string(text, end);
}

absl::StatusOr<int64_t> ReadCount(const StringMap& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  int64_t value = 0;
  if (found == metadata.end() || !absl::SimpleAtoi(found->second, &value) || value < 0) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint's metadata must have a count \"", key, "\"");
  }
  return value;
}

absl::Status CheckFormat(const StringMap& metadata) {
  const auto format = metadata.find("format");
  if (format != metadata.end() && format->second == kFormat) return absl::OkStatus();
  return FailedPrecondition(reason::kFileUnsupported, "the checkpoint is of the format \"",
                            format == metadata.end() ? "" : format->second, "\"; this version reads \"", kFormat, "\"");
}

absl::Status CheckIdentity(const StringMap& expected, const StringMap& found) {
  for (const auto& [key, value] : expected) {
    const auto entry = found.find(key);
    if (entry != found.end() && entry->second == value) continue;
    return FailedPrecondition(reason::kInputChanged, key, " of the checkpoint is ",
                              entry == found.end() ? "not known" : entry->second, ", of this job ", value,
                              "; resume with the same, or start a new job");
  }
  return absl::OkStatus();
}

absl::Status CheckTensor(const TensorMap& tensors, const std::string& name, const at::Tensor& wanted) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return InvalidArgument(reason::kTensorMissing, "the checkpoint has no tensor ", name);
  const at::Tensor& tensor = found->second;
  if (tensor.sizes() != wanted.sizes() || tensor.scalar_type() != at::kFloat) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " of the checkpoint is ",
                           at::toString(tensor.scalar_type()), " [", absl::StrJoin(tensor.sizes(), ", "), "]; Float [",
                           absl::StrJoin(wanted.sizes(), ", "), "] is wanted");
  }
  if (!AllFinite(tensor)) {
    return InvalidArgument(reason::kTensorNotFinite, name, " of the checkpoint holds values that are NaN or infinite");
  }
  return absl::OkStatus();
}

void AppendVariant(std::string* out, const TrainerVariant& variant) {
  absl::StrAppend(out, Exactly(variant.lr), ",", Exactly(variant.weight_decay), ",", Exactly(variant.mse_out_param),
                  ",", variant.seed);
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
                     {"config.lr", Exactly(config_.lr)},
                     {"config.weight_decay", Exactly(config_.weight_decay)},
                     {"config.adam_eps", Exactly(config_.adam_eps)},
                     {"config.mse_out_param", Exactly(config_.mse_out_param)},
                     {"config.order", config_.order == SequenceOrder::kShuffled ? "shuffled" : "sequential"},
                     {"config.seed", absl::StrCat(config_.seed)}};
  if (!config_.sweep.empty()) identity["config.sweep"] = absl::StrJoin(variants_, ";", AppendVariant);
  for (size_t i = 0; i < config_.layers.size(); ++i) {
    identity[absl::StrCat("transcoder.layer", config_.layers[i])] = inputs_.transcoders[i]->content_hash();
  }
  return identity;
}

TensorMap MidcoderTrainer::CheckpointTensors() const {
  assert(at_step_boundary());
  return StateTensors();
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
  SUPERPOSE_RETURN_IF_ERROR(CheckFormat(metadata));
  SUPERPOSE_RETURN_IF_ERROR(CheckIdentity(Identity(), metadata));
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
    for (const auto& [name, tensor] : state) SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, name, tensor));
    for (const auto& [name, tensor] : state) tensor.copy_(tensors.at(name));
    step_ = step;
    for (SequenceSampler& sampler : samplers_) sampler.Seek(sequences_taken);
    history_.clear();
    phase_ = Phase::kStart;
    walk_.reset();
    encoder_.reset();
    failure_ = absl::OkStatus();
    return absl::OkStatus();
  });
}

}  // namespace superpose
