#include "server/jobs/job_snapshots.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/tensor_bytes.h"

namespace superpose {
namespace {

int64_t BytesOf(const std::vector<TakenStatistics>& taken) {
  int64_t bytes = 0;
  for (const TakenStatistics& one : taken) bytes += TensorBytes(one.tensors);
  return bytes;
}

// A copy that the job does not change any more.
absl::StatusOr<MemoryReservation> Copy(MemoryBudget* budget, std::vector<TakenStatistics>* taken) {
  MemoryReservation room;
  if (budget != nullptr) {
    SUPERPOSE_ASSIGN_OR_RETURN(room, budget->Reserve(MemoryUse::kJob, BytesOf(*taken), "a copy of the statistics"));
  }
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&] {
    for (TakenStatistics& one : *taken) {
      for (auto& [name, tensor] : one.tensors) tensor = tensor.clone();
    }
    return absl::OkStatus();
  }));
  return room;
}

// How a snapshot comes to be kept.
struct Occasion {
  std::map<std::string, std::string> labels;
  bool automatic = false;
};

absl::StatusOr<v1::Snapshot> KeepOne(const JobSnapshotParts& parts, const v1::Job& job, const TakenStatistics& taken,
                                     const Occasion& occasion, const KeepWriting& keep_writing) {
  v1::Snapshot snapshot = taken.snapshot;
  snapshot.set_job(job.name());
  snapshot.set_owner(job.owner());
  snapshot.set_automatic(occasion.automatic);
  for (const auto& [key, value] : occasion.labels) (*snapshot.mutable_labels())[key] = value;
  const absl::Time now = parts.clock->Now();
  if (!occasion.automatic) return parts.snapshots->Add(std::move(snapshot), taken.tensors, now, keep_writing);
  return parts.snapshots->AddAtMoment(std::move(snapshot), absl::StrCat(taken.snapshot.tokens(), " tokens"),
                                      taken.tensors, now, keep_writing);
}

// All or, but for automatic ones, whose moments are told apart, none.
absl::StatusOr<std::vector<v1::Snapshot>> Keep(const JobSnapshotParts& parts, const v1::Job& job,
                                               const std::vector<TakenStatistics>& taken, const Occasion& occasion,
                                               const KeepWriting& keep_writing) {
  std::vector<v1::Snapshot> kept;
  for (const TakenStatistics& one : taken) {
    auto snapshot = CatchTorch([&] { return KeepOne(parts, job, one, occasion, keep_writing); });
    if (snapshot.ok()) {
      kept.push_back(*std::move(snapshot));
      continue;
    }
    if (occasion.automatic) return snapshot.status();
    for (const v1::Snapshot& before : kept) parts.snapshots->Delete(before.name()).IgnoreError();
    return snapshot.status();
  }
  return kept;
}

absl::Status KeepAutomatic(const JobSnapshotParts& parts, const v1::Job& job, const std::vector<TakenStatistics>& taken,
                           const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<v1::Snapshot> kept,
                             Keep(parts, job, taken, {.labels = {}, .automatic = true}, keep_writing));
  for (const v1::Snapshot& snapshot : kept) {
    SUPERPOSE_RETURN_IF_ERROR(parts.snapshots->DeleteOldAutomatic(job.name(), snapshot.provenance().transcoder(),
                                                                  snapshot.options().keep_last()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status TakeJobSnapshots(const JobSnapshotParts& parts, const v1::Job& job, JobWork& work,
                              const std::vector<SnapshotRequest>& requests, const KeepWriting& keep_writing,
                              const std::function<void()>& resume) {
  const bool is_due = work.SnapshotIsDue();
  if (!is_due && requests.empty()) return absl::OkStatus();
  const absl::Time stopped = parts.clock->Now();
  auto taken = CatchTorch([&] { return work.TakeStatistics(); });
  if (!taken.ok()) {
    for (const SnapshotRequest& request : requests) request.done(taken.status());
    return is_due ? taken.status() : absl::OkStatus();
  }
  const auto room = Copy(parts.budget, &*taken);
  if (room.ok()) {
    resume();
    const double pause = absl::ToDoubleSeconds(parts.clock->Now() - stopped);
    for (TakenStatistics& one : *taken) one.snapshot.set_pause_seconds(pause);
  }
  for (const SnapshotRequest& request : requests) {
    request.done(CatchTorch([&] { return Keep(parts, job, *taken, {.labels = request.labels}, keep_writing); }));
  }
  return is_due ? CatchTorch([&] { return KeepAutomatic(parts, job, *taken, keep_writing); }) : absl::OkStatus();
}

}  // namespace superpose
