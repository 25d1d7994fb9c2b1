// Checkpoints of Factorizer.
#include <ATen/ATen.h>

#include <cassert>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/factorizer.h"
#include "lib/midcoder/checkpoint_checks.h"

namespace superpose {
namespace {

constexpr char kFormat[] = "superpose-factorizer-checkpoint-1";

}  // namespace

std::map<std::string, std::string> FactorizerIdentity(const FactorizerConfig& config) {
  StringMap identity{{"config.form", config.form == FactorForm::kTopK ? "topk" : "gram"},
                     {"config.factors", absl::StrCat(config.factors)},
                     {"config.theta", ExactText(config.theta)},
                     {"config.factor_param", ExactText(FactorParamOf(config))},
                     {"config.epochs", absl::StrCat(config.epochs)},
                     {"config.batch_size", absl::StrCat(config.batch_size)},
                     {"config.lr", ExactText(LrOf(config))},
                     {"config.weight_decay", ExactText(config.weight_decay)},
                     {"config.adam_eps", ExactText(config.adam_eps)},
                     {"config.schedule", config.schedule == FactorSchedule::kCosine ? "cosine" : "reference"},
                     {"config.seed", absl::StrCat(config.seed)}};
  if (config.form == FactorForm::kTopK) identity["config.codes"] = absl::StrCat(config.codes);
  return identity;
}

StringMap Factorizer::Identity() const {
  StringMap identity = FactorizerIdentity(config_);
  identity["decoders"] = decoders_hash_;
  if (!start_hash_.empty()) identity["config.start"] = start_hash_;
  if (!orders_hash_.empty()) identity["config.orders"] = orders_hash_;
  return identity;
}

TensorMap Factorizer::CheckpointTensors() const {
  assert(at_step_boundary());
  return {{"factors", parameter_}, {"factors.exp_avg", exp_avg_}, {"factors.exp_avg_sq", exp_avg_sq_}};
}

StringMap Factorizer::CheckpointMetadata() const {
  StringMap metadata = Identity();
  metadata["format"] = kFormat;
  metadata["step"] = absl::StrCat(step_);
  return metadata;
}

absl::Status Factorizer::Restore(const TensorMap& tensors, const StringMap& metadata) {
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointFormat(metadata, kFormat));
  SUPERPOSE_RETURN_IF_ERROR(CheckSameInputs(Identity(), metadata));
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t step, ReadCount(metadata, "step"));
  if (step > steps_) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint is at step ", step, " of ", steps_);
  }
  const TensorMap state{{"factors", parameter_}, {"factors.exp_avg", exp_avg_}, {"factors.exp_avg_sq", exp_avg_sq_}};
  return CatchTorch([&] {
    for (const auto& [name, tensor] : state) {
      SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, name, at::kFloat, tensor.sizes()));
    }
    for (const auto& [name, tensor] : state) tensor.copy_(tensors.at(name));
    step_ = step;
    const int64_t n = decoders_.size(0), batches = step_ % steps_per_epoch_;
    sampler_.Seek(step_ / steps_per_epoch_ * n + batches * config_.batch_size);
    history_.clear();
    phase_ = Phase::kStart;
    failure_ = absl::OkStatus();
    return absl::OkStatus();
  });
}

}  // namespace superpose
