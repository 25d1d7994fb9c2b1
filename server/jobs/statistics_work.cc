#include "server/jobs/statistics_work.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/restore_checkpoint.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/reasons.h"
#include "server/runtime/statistics_specs.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

absl::StatusOr<std::vector<CountedMidcoder>> OpenMidcoders(MidcoderStore* store,
                                                           const std::vector<v1::Midcoder>& facts) {
  std::vector<CountedMidcoder> midcoders;
  for (const v1::Midcoder& midcoder : facts) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, store->Open(midcoder.name()));
    midcoders.push_back({midcoder, file.tensors()});
  }
  return midcoders;
}

}  // namespace

absl::StatusOr<std::vector<v1::Midcoder>> MidcodersOf(MidcoderStore* store, const v1::StatisticsSpec& spec) {
  std::vector<v1::Midcoder> midcoders;
  for (const std::string& name : spec.midcoders()) {
    SUPERPOSE_ASSIGN_OR_RETURN(midcoders.emplace_back(), store->Get(name));
  }
  return midcoders;
}

absl::StatusOr<std::unique_ptr<JobWork>> StatisticsWork::Create(const v1::Job& job, const JobParts& parts) {
  const v1::StatisticsSpec& spec = job.collect_statistics();
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Midcoder> facts, MidcodersOf(parts.midcoders, spec));
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<CountedMidcoder> midcoders, OpenMidcoders(parts.midcoders, facts));
  SUPERPOSE_ASSIGN_OR_RETURN(TrainingHandles handles, FindStatisticsHandles(*parts.registry, spec, facts));
  SUPERPOSE_ASSIGN_OR_RETURN(CollectorInputs inputs, CollectorInputsFor(handles, spec, facts));
  return std::unique_ptr<JobWork>(
      new StatisticsWork(job, parts, std::move(handles), std::move(midcoders), std::move(inputs)));
}

StatisticsWork::StatisticsWork(const v1::Job& job, const JobParts& parts, TrainingHandles handles,
                               std::vector<CountedMidcoder> midcoders, CollectorInputs inputs)
    : job_(job),
      parts_(parts),
      checkpoints_(parts.folder->FolderOf(job.name())),
      handles_(std::move(handles)),
      midcoders_(std::move(midcoders)),
      inputs_(std::move(inputs)),
      schedule_(job.collect_statistics().options().snapshot_every_tokens()) {}

absl::Status StatisticsWork::LoadMidcoders() {
  for (size_t i = 0; i < midcoders_.size(); ++i) {
    CollectedLayer& layer = inputs_.layers[i];
    SUPERPOSE_ASSIGN_OR_RETURN(
        Midcoder midcoder,
        Midcoder::FromTensors(FormOf(midcoders_[i].facts.spec()), GateOf(midcoders_[i].facts.spec()), layer.layer,
                              *inputs_.model, layer.transcoder->d_sae(), midcoders_[i].weights));
    layer.midcoder = std::make_shared<const Midcoder>(std::move(midcoder));
  }
  return absl::OkStatus();
}

absl::Status StatisticsWork::StartCollector() {
  SUPERPOSE_RETURN_IF_ERROR(LoadMidcoders());
  SUPERPOSE_ASSIGN_OR_RETURN(collector_, StatisticsCollector::Create(inputs_, CollectorConfigFor(spec())));
  start_ = parts_.clock->Now();
  SUPERPOSE_RETURN_IF_ERROR(RestoreCheckpoint(checkpoints_, [this](const SafetensorsFile& file) {
    return collector_->Restore(file.tensors(), file.metadata());
  }));
  first_tokens_ = collector_->tokens_done();
  schedule_.Resume(first_tokens_, spec().batch_size() * spec().context_length());
  if (first_tokens_ > 0) {
    Log(LogLevel::kInfo, "job resumed", {{"job", job_.name()}, {"tokens", absl::StrCat(first_tokens_)}});
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> StatisticsWork::RunSlice(const Budget& budget) {
  if (collector_ == nullptr) {
    SUPERPOSE_RETURN_IF_ERROR(StartCollector());
    return collector_->at_boundary() && collector_->tokens_done() == collector_->tokens_total();
  }
  const int64_t tokens_before = collector_->tokens_done();
  const Budget until_due([&] { return budget.Exhausted() || SnapshotIsDue(); });
  SUPERPOSE_ASSIGN_OR_RETURN(const bool done, collector_->RunSlice(until_due));
  parts_.metrics->AddTokens("collect_statistics", static_cast<double>(collector_->tokens_done() - tokens_before));
  return done;
}

WorkReport StatisticsWork::Report() const {
  WorkReport report;
  report.progress.set_unit("tokens");
  if (collector_ == nullptr) return report;
  report.progress.set_done(collector_->tokens_done());
  report.progress.set_total(collector_->tokens_total());
  const double seconds = absl::ToDoubleSeconds(parts_.clock->Now() - start_);
  const int64_t tokens = collector_->tokens_done() - first_tokens_;
  if (tokens > 0 && seconds > 0) report.metrics["tokens_per_second"] = static_cast<double>(tokens) / seconds;
  return report;
}

absl::StatusOr<bool> StatisticsWork::WriteCheckpoint(const KeepWriting& keep_writing) {
  if (collector_->tokens_done() == first_tokens_) return false;
  SUPERPOSE_RETURN_IF_ERROR(checkpoints_.Write(collector_->tokens_done(), collector_->CheckpointTensors(),
                                               collector_->CheckpointMetadata(), keep_writing));
  return true;
}

bool StatisticsWork::SnapshotIsDue() const { return AtBoundary() && schedule_.IsDue(collector_->tokens_done()); }

absl::StatusOr<std::vector<TakenStatistics>> StatisticsWork::TakeStatistics() {
  if (collector_ == nullptr || collector_->tokens_done() == 0) {
    return FailedPrecondition(reason::kJobWithoutStatistics, job_.name(),
                              " has counted nothing yet: ask again after its first batch");
  }
  schedule_.GoOnFrom(collector_->tokens_done());
  std::vector<TakenStatistics> taken;
  for (int64_t index = 0; index < collector_->layers(); ++index) taken.push_back(StatisticsOf(index));
  return taken;
}

TakenStatistics StatisticsWork::StatisticsOf(int64_t index) const {
  const LayerStatistics& statistics = collector_->statistics(index);
  TakenStatistics taken{.snapshot = {}, .tensors = statistics.Tensors()};
  v1::Snapshot& snapshot = taken.snapshot;
  *snapshot.mutable_provenance() =
      DescribeProvenance(*handles_.model, *handles_.transcoders[index], handles_.corpus.get());
  snapshot.set_layer(static_cast<int32_t>(inputs_.layers[index].layer));
  snapshot.set_tokens(statistics.tokens());
  snapshot.set_includes_bos(spec().options().include_bos());
  snapshot.set_has_feature_ids(taken.tensors.count("feat_ids") > 0);
  *snapshot.mutable_options() = spec().options();
  *snapshot.mutable_labels() = spec().labels();
  snapshot.set_gate(spec().gate());
  v1::IndexRange* sequences = snapshot.add_sequences();
  sequences->set_start(spec().first_sequence());
  sequences->set_stop(collector_->sequences_end());
  snapshot.set_context_length(spec().context_length());
  snapshot.set_split(spec().split());
  if (midcoders_.empty()) return taken;
  snapshot.set_midcoder(midcoders_[index].facts.name());
  snapshot.set_midcoder_hash(midcoders_[index].facts.content_hash());
  taken.tensors.insert(midcoders_[index].weights.begin(), midcoders_[index].weights.end());
  return taken;
}

absl::StatusOr<v1::Job> StatisticsWork::Finish(const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<TakenStatistics> taken, TakeStatistics());
  v1::Job result;
  for (TakenStatistics& one : taken) {
    one.snapshot.set_job(job_.name());
    one.snapshot.set_owner(job_.owner());
    SUPERPOSE_ASSIGN_OR_RETURN(const v1::Snapshot snapshot,
                               parts_.snapshots->AddAtMoment(std::move(one.snapshot), SnapshotStore::kAtEnd,
                                                             one.tensors, parts_.clock->Now(), keep_writing));
    result.mutable_collected_snapshots()->add_snapshots(snapshot.name());
  }
  return result;
}

}  // namespace superpose
