#include "server/services/intervention_work.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/descriptors.h"

namespace superpose {

absl::StatusOr<InterventionWork> InterventionWork::Prepare(const ModelRegistry& registry,
                                                           const v1::InterveneRequest& request, const Limits& limits) {
  SUPERPOSE_ASSIGN_OR_RETURN(PromptInput input, ReadPrompt(registry, request.prompt(), limits));
  InterventionWork work(std::move(input), limits);
  SUPERPOSE_ASSIGN_OR_RETURN(work.top_k_, TopK(request.has_top_k(), request.top_k()));
  SUPERPOSE_RETURN_IF_ERROR(work.TakeMode(request.mode()));
  if (request.settings().empty())
    return InvalidArgument(reason::kEmptyInput, "settings is empty: set one feature or more");
  for (const v1::FeatureSetting& setting : request.settings())
    SUPERPOSE_RETURN_IF_ERROR(work.TakeSetting(registry, setting));
  SUPERPOSE_RETURN_IF_ERROR(CheckIntervention(*work.model_->model, work.parts_.all(), work.intervention_));
  return work;
}

absl::Status InterventionWork::TakeMode(int mode) {
  if (!v1::InterventionMode_IsValid(mode))
    return InvalidArgument(reason::kConfigInvalid, "mode has a value, ", mode, ", that this server does not know");
  intervention_.mode = mode == v1::INTERVENTION_MODE_REPLACE ? InterventionMode::kReplace : InterventionMode::kDelta;
  return absl::OkStatus();
}

absl::Status InterventionWork::TakeSetting(const ModelRegistry& registry, const v1::FeatureSetting& setting) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TranscoderHandle transcoder,
                             FindTranscoderOf(registry, *model_, setting.transcoder()));
  SettingsOf(transcoder)
      .settings.push_back(
          {setting.feature_id(), setting.value(), {setting.positions().begin(), setting.positions().end()}});
  return absl::OkStatus();
}

TranscoderSettings& InterventionWork::SettingsOf(const TranscoderHandle& transcoder) {
  for (size_t i = 0; i < transcoders_.size(); ++i) {
    if (transcoders_[i] == transcoder) return intervention_.transcoders[i];
  }
  transcoders_.push_back(transcoder);
  return intervention_.transcoders.emplace_back(
      TranscoderSettings{transcoder->layer, transcoder->transcoder.get(), {}});
}

void InterventionWork::AddEffect(int64_t first_sequence, const InterventionEffect& effect,
                                 v1::InterveneResponse* response) const {
  v1::InterventionEffect* proto = response->add_effects();
  proto->set_sequence(static_cast<int32_t>(first_sequence + effect.sequence));
  proto->mutable_token_ids()->Add(effect.token_ids.begin(), effect.token_ids.end());
  proto->mutable_before()->Add(effect.before.begin(), effect.before.end());
  proto->mutable_after()->Add(effect.after.begin(), effect.after.end());
  if (model_->tokenizer == nullptr) return;
  for (const int32_t id : effect.token_ids) proto->add_tokens(TextOf(*model_, id));
}

void InterventionWork::Describe(v1::InterveneResponse* response) const {
  *response->mutable_tokens() = BatchOf(parts_.all());
  for (const TranscoderHandle& transcoder : transcoders_)
    *response->add_provenance() = DescribeProvenance(*model_, *transcoder, nullptr);
}

absl::StatusOr<bool> InterventionWork::RunPart(v1::InterveneResponse* response) {
  const int64_t first_sequence = parts_.next();
  SUPERPOSE_ASSIGN_OR_RETURN(const PredictionChange change,
                             Intervene(*model_->model, parts_.Take(), intervention_, top_k_));
  response->mutable_kl()->Add(change.kl.begin(), change.kl.end());
  response->mutable_log_probability_change()->Add(change.log_probability_change.begin(),
                                                  change.log_probability_change.end());
  for (const InterventionEffect& effect : change.effects) AddEffect(first_sequence, effect, response);
  if (parts_.done()) Describe(response);
  SUPERPOSE_RETURN_IF_ERROR(CheckAnswerSize(response->ByteSizeLong(), limits_));
  return parts_.done();
}

}  // namespace superpose
