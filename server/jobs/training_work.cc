#include "server/jobs/training_work.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/jobs/folder.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/midcoder_specs.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

absl::StatusOr<TrainerInputs> InputsOf(const v1::MidcoderTrainingSpec& spec, const ModelRegistry& registry) {
  TrainerInputs inputs;
  for (const std::string& name : spec.transcoders()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry.ModelOf(name));
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedTranscoder* transcoder, registry.FindTranscoder(name));
    inputs.model = model->model;
    inputs.transcoders.push_back(transcoder->transcoder);
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedCorpus* corpus, registry.FindCorpus(spec.corpus()));
  SUPERPOSE_ASSIGN_OR_RETURN(
      inputs.sequences, SequencesFor(registry, spec.corpus(), spec.context_length(), v1::CORPUS_SPLIT_UNSPECIFIED));
  inputs.corpus_hash = absl::StrCat(corpus->corpus->content_hash(), " ", inputs.sequences->count());
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
  SUPERPOSE_ASSIGN_OR_RETURN(TrainerInputs inputs, InputsOf(job.train_midcoder(), *parts.registry));
  SUPERPOSE_ASSIGN_OR_RETURN(TrainerConfig config, TrainerConfigFor(*parts.registry, job.train_midcoder()));
  return std::unique_ptr<JobWork>(new TrainingWork(job, parts, std::move(inputs), std::move(config)));
}

TrainingWork::TrainingWork(const v1::Job& job, const JobParts& parts, TrainerInputs inputs, TrainerConfig config)
    : job_(job),
      parts_(parts),
      checkpoints_(parts.folder->FolderOf(job.name())),
      history_(parts.folder->FolderOf(job.name()) + "/history.bin"),
      inputs_(std::move(inputs)),
      config_(std::move(config)) {}

absl::StatusOr<bool> TrainingWork::RunSlice(const Budget& budget) {
  if (trainer_ == nullptr) {
    SUPERPOSE_RETURN_IF_ERROR(StartTrainer());
    return trainer_->step() == config_.steps;
  }
  const int64_t step_before = trainer_->step();
  SUPERPOSE_ASSIGN_OR_RETURN(const bool done, trainer_->RunSlice(budget));
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
  for (const std::string& path : checkpoints_.NewestFirst()) {
    absl::Status resumed = ResumeFrom(path);
    if (resumed.ok()) return absl::OkStatus();
    if (ReasonOf(resumed) == reason::kInputChanged) return resumed;
    Log(LogLevel::kWarning, "checkpoint passed over", {{"path", path}, {"error", std::string(resumed.message())}});
    // It may have been restored in part.
    SUPERPOSE_ASSIGN_OR_RETURN(trainer_, MidcoderTrainer::Create(inputs_, config_));
  }
  return history_.TruncateAfter(0);
}

absl::Status TrainingWork::ResumeFrom(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  SUPERPOSE_RETURN_IF_ERROR(trainer_->Restore(file.tensors(), file.metadata()));
  SUPERPOSE_RETURN_IF_ERROR(history_.TruncateAfter(trainer_->step()));
  flushed_step_ = first_step_ = trainer_->step();
  Log(LogLevel::kInfo, "job resumed", {{"job", job_.name()}, {"step", absl::StrCat(first_step_)}});
  return absl::OkStatus();
}

WorkReport TrainingWork::Report() const {
  WorkReport report;
  report.progress.set_unit("steps");
  report.progress.set_total(config_.steps);
  if (trainer_ == nullptr) return report;
  report.progress.set_done(trainer_->step());
  for (const StepLoss& loss : newest_losses_) {
    const std::string prefix = newest_losses_.size() > 1 ? absl::StrCat("layer", loss.layer, ".") : "";
    for (const auto& [name, value] : LossesOf(loss)) report.metrics[prefix + name] = value;
    report.metrics["lr"] = loss.lr;
  }
  const double seconds = absl::ToDoubleSeconds(parts_.clock->Now() - start_);
  const int64_t steps = trainer_->step() - first_step_;
  if (steps > 0 && seconds > 0) {
    const int64_t tokens = steps * trainer_->tokens_seen() / trainer_->step();
    report.metrics["tokens_per_second"] = static_cast<double>(tokens) / seconds;
  }
  return report;
}

absl::Status TrainingWork::FlushHistory() {
  const std::vector<StepLoss> losses = trainer_->HistorySince(flushed_step_);
  if (losses.empty()) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(parts_.folder->FolderOf(job_.name())));
  SUPERPOSE_RETURN_IF_ERROR(history_.Append(losses));
  flushed_step_ = trainer_->step();
  return absl::OkStatus();
}

absl::Status TrainingWork::WriteCheckpoint() {
  if (trainer_->step() == first_step_) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(FlushHistory());
  return checkpoints_.Write(trainer_->step(), trainer_->CheckpointTensors(), trainer_->CheckpointMetadata());
}

absl::StatusOr<v1::Job> TrainingWork::Finish() {
  SUPERPOSE_RETURN_IF_ERROR(FlushHistory());
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<StepLoss> history,
                             history_.Read(0, config_.steps * static_cast<int64_t>(config_.layers.size())));
  v1::Job result;
  for (int64_t index = 0; index < static_cast<int64_t>(config_.layers.size()); ++index) {
    SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, StoreMidcoder(index, history));
    result.mutable_trained_midcoders()->add_midcoders(midcoder.name());
  }
  return result;
}

absl::StatusOr<v1::Midcoder> TrainingWork::StoreMidcoder(int64_t index, const std::vector<StepLoss>& history) {
  const std::string& transcoder_name = spec().transcoders(static_cast<int>(index));
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, parts_.registry->ModelOf(transcoder_name));
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedTranscoder* transcoder, parts_.registry->FindTranscoder(transcoder_name));
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedCorpus* corpus, parts_.registry->FindCorpus(spec().corpus()));
  const int64_t layer = config_.layers[index];
  std::vector<StepLoss> losses;
  std::copy_if(history.begin(), history.end(), std::back_inserter(losses),
               [&](const StepLoss& loss) { return loss.layer == layer; });

  v1::Midcoder midcoder;
  *midcoder.mutable_provenance() = DescribeProvenance(*model, *transcoder, corpus);
  midcoder.set_layer(static_cast<int32_t>(layer));
  *midcoder.mutable_spec() = spec();
  midcoder.set_steps(trainer_->step());
  midcoder.set_tokens(trainer_->tokens_seen());
  midcoder.set_job(job_.name());
  midcoder.set_owner(job_.owner());
  if (!losses.empty()) {
    for (const auto& [name, value] : LossesOf(losses.back())) (*midcoder.mutable_final_losses())[name] = value;
  }
  TensorMap tensors = trainer_->midcoder(index).tensors();
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&] {
    for (auto& [name, tensor] : tensors) tensor = tensor.cpu();
    return absl::OkStatus();
  }));
  return parts_.midcoders->Add(std::move(midcoder), tensors, losses, parts_.clock->Now());
}

}  // namespace superpose
