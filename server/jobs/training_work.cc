#include "server/jobs/training_work.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/content_hash.h"
#include "server/jobs/folder.h"
#include "server/jobs/restore_checkpoint.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/reasons.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

absl::StatusOr<TrainerInputs> InputsOf(const TrainingHandles& handles, const v1::MidcoderTrainingSpec& spec) {
  TrainerInputs inputs;
  inputs.model = handles.model->model;
  for (const TranscoderHandle& transcoder : handles.transcoders) inputs.transcoders.push_back(transcoder->transcoder);
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.sequences, SequencesFor(*handles.corpus, spec));
  inputs.corpus_hash = absl::StrCat(handles.corpus->corpus->content_hash(), " ", inputs.sequences->count());
  return inputs;
}

std::map<std::string, double> LossesOf(const StepLoss& loss) {
  return {{"loss", loss.loss},
          {"mse_mid", loss.mse_mid},
          {"mse_out", loss.mse_out},
          {"mse_out_transcoder", loss.mse_out_transcoder}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobWork>> TrainingWork::Create(const v1::Job& job, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(TrainingHandles handles, FindTrainingHandles(*parts.registry, job.train_midcoder()));
  SUPERPOSE_ASSIGN_OR_RETURN(TrainerInputs inputs, InputsOf(handles, job.train_midcoder()));
  SUPERPOSE_ASSIGN_OR_RETURN(TrainerConfig config, TrainerConfigFor(handles, job.train_midcoder()));
  return std::unique_ptr<JobWork>(
      new TrainingWork(job, parts, std::move(handles), std::move(inputs), std::move(config)));
}

TrainingWork::TrainingWork(const v1::Job& job, const JobParts& parts, TrainingHandles handles, TrainerInputs inputs,
                           TrainerConfig config)
    : job_(job),
      parts_(parts),
      checkpoints_(parts.folder->FolderOf(job.name())),
      history_(parts.folder->FolderOf(job.name()) + "/history.bin"),
      handles_(std::move(handles)),
      inputs_(std::move(inputs)),
      config_(std::move(config)),
      schedule_(job.train_midcoder().statistics().snapshot_every_tokens()) {}

absl::StatusOr<bool> TrainingWork::RunSlice(const Budget& budget) {
  if (trainer_ == nullptr) {
    SUPERPOSE_RETURN_IF_ERROR(StartTrainer());
    return trainer_->step() == config_.steps;
  }
  const int64_t step_before = trainer_->step();
  const Budget until_due([&] { return budget.Exhausted() || SnapshotIsDue(); });
  SUPERPOSE_ASSIGN_OR_RETURN(const bool done, trainer_->RunSlice(until_due));
  if (trainer_->step() > step_before) {
    newest_losses_ = trainer_->HistorySince(trainer_->step() - 1);
    const int64_t tokens_a_step = trainer_->tokens_seen() / trainer_->step();
    parts_.metrics->AddTokens("train_midcoder", static_cast<double>((trainer_->step() - step_before) * tokens_a_step));
  }
  return done;
}

absl::Status TrainingWork::StartTrainer() {
  SUPERPOSE_ASSIGN_OR_RETURN(trainer_, MidcoderTrainer::Create(inputs_, config_));
  start_ = parts_.clock->Now();
  SUPERPOSE_RETURN_IF_ERROR(RestoreCheckpoint(checkpoints_, [this](const SafetensorsFile& file) {
    return trainer_->Restore(file.tensors(), file.metadata());
  }));
  flushed_step_ = first_step_ = trainer_->step();
  schedule_.Resume(trainer_->tokens_seen(), first_step_ > 0 ? trainer_->tokens_seen() / first_step_ : 0);
  SUPERPOSE_RETURN_IF_ERROR(history_.TruncateAfter(flushed_step_));
  if (first_step_ > 0) Log(LogLevel::kInfo, "job resumed", {{"job", job_.name()}, {"step", absl::StrCat(first_step_)}});
  return absl::OkStatus();
}

WorkReport TrainingWork::Report() const {
  WorkReport report;
  report.progress.set_unit("steps");
  report.progress.set_total(config_.steps);
  if (trainer_ == nullptr) return report;
  report.progress.set_done(trainer_->step());
  for (const StepLoss& loss : newest_losses_) {
    const std::string prefix = PrefixOf(loss);
    for (const auto& [name, value] : LossesOf(loss)) report.metrics[prefix + name] = value;
    report.metrics[config_.sweep.empty() ? "lr" : prefix + "lr"] = loss.lr;
  }
  const double seconds = absl::ToDoubleSeconds(parts_.clock->Now() - start_);
  const int64_t steps = trainer_->step() - first_step_;
  if (steps > 0 && seconds > 0) {
    const int64_t tokens_a_step = trainer_->tokens_seen() / trainer_->step();
    report.metrics["tokens_per_second"] = static_cast<double>(steps * tokens_a_step) / seconds;
  }
  return report;
}

// Tells the midcoders of one job apart: "layer8.variant2.", or less where there is only one layer or no sweep.
std::string TrainingWork::PrefixOf(const StepLoss& loss) const {
  const std::string layer = config_.layers.size() > 1 ? absl::StrCat("layer", loss.layer, ".") : "";
  return config_.sweep.empty() ? layer : absl::StrCat(layer, "variant", loss.variant, ".");
}

absl::Status TrainingWork::FlushHistory() {
  const std::vector<StepLoss> losses = trainer_->HistorySince(flushed_step_);
  if (losses.empty()) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(parts_.folder->FolderOf(job_.name())));
  // What an append that failed may have left.
  SUPERPOSE_RETURN_IF_ERROR(history_.TruncateAfter(flushed_step_));
  SUPERPOSE_RETURN_IF_ERROR(history_.Append(losses));
  flushed_step_ = trainer_->step();
  trainer_->ForgetHistoryUpTo(flushed_step_);
  return absl::OkStatus();
}

absl::StatusOr<bool> TrainingWork::WriteCheckpoint(const KeepWriting& keep_writing) {
  if (trainer_->step() == first_step_) return false;
  SUPERPOSE_RETURN_IF_ERROR(trainer_->CheckFinite());
  SUPERPOSE_RETURN_IF_ERROR(FlushHistory());
  SUPERPOSE_RETURN_IF_ERROR(checkpoints_.Write(trainer_->step(), trainer_->CheckpointTensors(),
                                               trainer_->CheckpointMetadata(), keep_writing));
  return true;
}

absl::StatusOr<v1::Job> TrainingWork::Finish(const KeepWriting& keep_writing) {
  SUPERPOSE_RETURN_IF_ERROR(FlushHistory());
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<StepLoss> history,
                             history_.Read(0, config_.steps * trainer_->midcoders()));
  v1::Job result;
  for (int64_t index = 0; index < trainer_->midcoders(); ++index) {
    SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, StoreMidcoder(index, history, keep_writing));
    if (config_.statistics.has_value()) SUPERPOSE_RETURN_IF_ERROR(StoreStatistics(index, midcoder, keep_writing));
    result.mutable_trained_midcoders()->add_midcoders(midcoder.name());
  }
  return result;
}

absl::StatusOr<v1::Midcoder> TrainingWork::StoreMidcoder(int64_t index, const std::vector<StepLoss>& history,
                                                         const KeepWriting& keep_writing) {
  const int64_t layer_index = index / trainer_->variants(), variant = index % trainer_->variants();
  const int64_t layer = config_.layers[layer_index];
  std::vector<StepLoss> losses;
  std::copy_if(history.begin(), history.end(), std::back_inserter(losses),
               [&](const StepLoss& loss) { return loss.layer == layer && loss.variant == variant; });

  v1::Midcoder midcoder;
  *midcoder.mutable_provenance() =
      DescribeProvenance(*handles_.model, *handles_.transcoders[layer_index], handles_.corpus.get());
  midcoder.set_layer(static_cast<int32_t>(layer));
  *midcoder.mutable_spec() = SpecOfVariant(spec(), VariantsOf(config_)[variant]);
  midcoder.set_job_result(static_cast<int32_t>(index));
  midcoder.set_steps(trainer_->step());
  midcoder.set_tokens(trainer_->tokens_seen());
  midcoder.set_job(job_.name());
  midcoder.set_owner(job_.owner());
  if (!losses.empty()) {
    for (const auto& [name, value] : LossesOf(losses.back())) (*midcoder.mutable_final_losses())[name] = value;
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, ParametersOf(index));
  return parts_.midcoders->Add(std::move(midcoder), tensors, losses, parts_.clock->Now(), keep_writing);
}

absl::StatusOr<TensorMap> TrainingWork::ParametersOf(int64_t index) const {
  return CatchTorch([&]() -> absl::StatusOr<TensorMap> {
    TensorMap tensors = trainer_->midcoder(index).tensors();
    for (auto& [name, tensor] : tensors) tensor = tensor.cpu();
    return tensors;
  });
}

bool TrainingWork::SnapshotIsDue() const {
  return config_.statistics.has_value() && AtBoundary() && schedule_.IsDue(trainer_->tokens_seen());
}

absl::StatusOr<std::vector<TakenStatistics>> TrainingWork::TakeStatistics() {
  if (!config_.statistics.has_value() || trainer_ == nullptr || trainer_->step() == 0) {
    return FailedPrecondition(reason::kJobWithoutStatistics, job_.name(),
                              config_.statistics.has_value()
                                  ? " has counted nothing yet: ask again after its first batch"
                                  : " collects no statistics: train with them, or collect them afterwards");
  }
  schedule_.GoOnFrom(trainer_->tokens_seen());
  std::vector<TakenStatistics> taken;
  for (int64_t index = 0; index < trainer_->midcoders(); ++index) {
    SUPERPOSE_ASSIGN_OR_RETURN(taken.emplace_back(), StatisticsOf(index));
  }
  return taken;
}

absl::StatusOr<TakenStatistics> TrainingWork::StatisticsOf(int64_t index) const {
  const LayerStatistics& statistics = trainer_->statistics(index);
  TakenStatistics taken{.snapshot = {}, .tensors = statistics.Tensors()};
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap parameters, ParametersOf(index));
  v1::Snapshot& snapshot = taken.snapshot;
  *snapshot.mutable_provenance() =
      DescribeProvenance(*handles_.model, *handles_.transcoders[index], handles_.corpus.get());
  snapshot.set_layer(static_cast<int32_t>(config_.layers[index]));
  snapshot.set_tokens(statistics.tokens());
  snapshot.set_includes_bos(config_.statistics->include_bos);
  snapshot.set_moving_parameters(true);
  snapshot.set_has_feature_ids(taken.tensors.count("feat_ids") > 0);
  *snapshot.mutable_options() = spec().statistics();
  snapshot.set_gate(v1::GATE_SOURCE_MIDCODER);
  snapshot.set_context_length(spec().context_length());
  snapshot.set_midcoder_hash(ContentHash(parameters));
  snapshot.mutable_steps()->set_start(0);
  snapshot.mutable_steps()->set_stop(trainer_->step());
  taken.tensors.insert(parameters.begin(), parameters.end());
  return taken;
}

absl::Status TrainingWork::StoreStatistics(int64_t index, const v1::Midcoder& midcoder,
                                           const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(TakenStatistics taken, StatisticsOf(index));
  taken.snapshot.set_midcoder(midcoder.name());
  taken.snapshot.set_job(job_.name());
  taken.snapshot.set_owner(job_.owner());
  return parts_.snapshots
      ->AddAtMoment(std::move(taken.snapshot), SnapshotStore::kAtEnd, taken.tensors, parts_.clock->Now(), keep_writing)
      .status();
}

}  // namespace superpose
