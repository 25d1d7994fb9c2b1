#include "server/jobs/factorization_work.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/jobs/factorization_quality.h"
#include "server/jobs/factorization_specs.h"
#include "server/jobs/restore_checkpoint.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// W to begin with; undefined without a start.
absl::StatusOr<at::Tensor> ReadStart(FactorizationStore* factorizations, const std::string& start) {
  if (start.empty()) return at::Tensor();
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, factorizations->Open(start));
  return file.Tensor("parameter");
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobWork>> FactorizationWork::Create(const v1::Job& job, const JobParts& parts) {
  v1::DirectionSource directions = job.factorize_decoders().directions();
  SUPERPOSE_RETURN_IF_ERROR(ResolveDirections(SourcesOf(parts), &directions).status());
  return std::unique_ptr<JobWork>(new FactorizationWork(job, parts));
}

FactorizationWork::FactorizationWork(const v1::Job& job, const JobParts& parts)
    : job_(job), parts_(parts), checkpoints_(parts.folder->FolderOf(job.name())) {}

absl::Status FactorizationWork::StartRun() {
  FactorizationRunInputs inputs;
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.start, ReadStart(parts_.factorizations, spec().start()));
  SUPERPOSE_ASSIGN_OR_RETURN(directions_, ReadDirections(SourcesOf(parts_), spec().directions()));
  inputs.directions = std::exchange(directions_.rows, at::Tensor());
  SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<FactorizationRun> run,
                             FactorizationRun::Create(std::move(inputs), FactorizationRunConfigOf(spec())));
  SUPERPOSE_RETURN_IF_ERROR(RestoreCheckpoint(
      checkpoints_, [&run](const SafetensorsFile& file) { return run->Restore(file.tensors(), file.metadata()); }));
  run_ = std::move(run);
  written_steps_ = run_->steps_done();
  if (written_steps_ > 0) {
    Log(LogLevel::kInfo, "job resumed", {{"job", job_.name()}, {"step", absl::StrCat(written_steps_)}});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FactorizationWork::RunSlice(const Budget& budget) {
  if (run_ != nullptr) return run_->RunSlice(budget);
  SUPERPOSE_RETURN_IF_ERROR(StartRun());
  return false;
}

WorkReport FactorizationWork::Report() const {
  WorkReport report;
  report.progress.set_unit("steps");
  if (run_ == nullptr) return report;
  report.progress.set_done(run_->steps_done());
  report.progress.set_total(run_->steps_total());
  if (run_->fits() > 1) report.metrics["fit"] = static_cast<double>(run_->fit());
  const std::optional<FactorizerLoss> loss = run_->newest_loss();
  if (!loss.has_value()) return report;
  report.metrics["loss"] = loss->loss;
  report.metrics["decoder_loss"] = loss->decoder_loss;
  report.metrics["factor_loss"] = loss->factor_loss;
  report.metrics["lr"] = loss->lr;
  report.metrics["epoch"] = static_cast<double>(loss->epoch);
  return report;
}

absl::StatusOr<bool> FactorizationWork::WriteCheckpoint(const KeepWriting& keep_writing) {
  if (run_->steps_done() == written_steps_) return false;
  SUPERPOSE_RETURN_IF_ERROR(run_->CheckFinite());
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&] {
    return checkpoints_.Write(run_->steps_done(), run_->CheckpointTensors(), run_->CheckpointMetadata(), keep_writing);
  }));
  written_steps_ = run_->steps_done();
  return true;
}

absl::StatusOr<v1::Factorization> FactorizationWork::Describe() const {
  v1::Factorization factorization;
  *factorization.mutable_provenance() = directions_.provenance;
  factorization.set_layer(static_cast<int32_t>(directions_.layer));
  *factorization.mutable_spec() = spec();
  factorization.set_decoders(run_->split().fitted.size(0));
  factorization.set_held_out_decoders(run_->split().held_out.size(0));
  factorization.set_undefined_decoders(directions_.undefined);
  factorization.set_steps(static_cast<int64_t>(run_->history().size()));
  SUPERPOSE_ASSIGN_OR_RETURN(*factorization.mutable_quality(), DescribeQuality(run_->quality(), run_->stability()));
  *factorization.mutable_labels() = spec().labels();
  factorization.set_job(job_.name());
  factorization.set_owner(job_.owner());
  return factorization;
}

absl::StatusOr<TensorMap> FactorizationWork::Tensors() const {
  SUPERPOSE_ASSIGN_OR_RETURN(TensorMap tensors, run_->ResultTensors());
  return CatchTorch([&]() -> absl::StatusOr<TensorMap> {
    const at::Tensor order = at::cat({run_->split().fitted, run_->split().held_out});
    tensors["feature"] = directions_.ids.index_select(0, order);
    tensors["rank"] = directions_.ranks.index_select(0, order);
    return tensors;
  });
}

absl::StatusOr<v1::Job> FactorizationWork::Finish(const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, Tensors());
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Factorization factorization, Describe());
  factorization.set_factors(tensors.at("factors").size(0));
  factorization.set_width(tensors.at("factors").size(1));
  SUPERPOSE_ASSIGN_OR_RETURN(
      factorization, parts_.factorizations->Add(std::move(factorization), tensors, parts_.clock->Now(), keep_writing));
  v1::Job result;
  result.mutable_factorization()->set_factorization(factorization.name());
  *result.mutable_factorization()->mutable_quality() = factorization.quality();
  return result;
}

}  // namespace superpose
