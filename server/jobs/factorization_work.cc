#include "server/jobs/factorization_work.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/analysis/stored_factorization.h"
#include "server/jobs/factorization_quality.h"
#include "server/jobs/factorization_specs.h"
#include "server/jobs/restore_checkpoint.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// W to begin with; undefined without a start.
absl::StatusOr<at::Tensor> ReadStart(FactorizationStore* factorizations, const std::string& start) {
  if (start.empty()) return at::Tensor();
  SUPERPOSE_ASSIGN_OR_RETURN(const auto stored, StoredFactorization::Open(factorizations, start));
  return stored->Parameter();
}

}  // namespace

absl::StatusOr<std::unique_ptr<JobWork>> FactorizationWork::Create(const v1::Job& job, const JobParts& parts) {
  v1::DirectionSource directions = job.factorize_decoders().directions();
  SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<DirectionReader> reader,
                             DirectionReader::Open(SourcesOf(parts), &directions));
  return std::unique_ptr<JobWork>(new FactorizationWork(job, parts, std::move(reader)));
}

FactorizationWork::FactorizationWork(const v1::Job& job, const JobParts& parts, std::unique_ptr<DirectionReader> reader)
    : job_(job), parts_(parts), checkpoints_(parts.folder->FolderOf(job.name())), reader_(std::move(reader)) {}

absl::StatusOr<bool> FactorizationWork::ReadOn(const Budget& budget) {
  do {
    SUPERPOSE_RETURN_IF_ERROR(reader_->RunUnit(units_read_++));
  } while (units_read_ < reader_->units() && !budget.Exhausted());
  return units_read_ == reader_->units();
}

absl::Status FactorizationWork::StartRun() {
  FactorizationRunInputs inputs;
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.start, ReadStart(parts_.factorizations, spec().start()));
  SUPERPOSE_ASSIGN_OR_RETURN(directions_, reader_->Take());
  reader_.reset();
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.may_hold_out, MayHoldOut(SourcesOf(parts_), spec(), directions_.ids));
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
  SUPERPOSE_ASSIGN_OR_RETURN(const bool all_read, ReadOn(budget));
  if (all_read) SUPERPOSE_RETURN_IF_ERROR(StartRun());
  return false;
}

WorkReport FactorizationWork::Report() const {
  WorkReport report;
  report.progress.set_unit("steps");
  if (run_ == nullptr) return report;
  // What is measured after the last step counts too: it may take as long as many of them.
  report.progress.set_done(run_->steps_done() + run_->parts_measured());
  report.progress.set_total(run_->steps_total() + run_->parts_to_measure());
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
  // The tensor `feature` has them: a list of factorizations must not.
  v1::DirectionSource& directions = *factorization.mutable_spec()->mutable_directions();
  if (directions.features().has_ids()) directions.mutable_features()->mutable_ids()->clear_values();
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
