#include "server/jobs/durable_job_manager.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/jobs/folder.h"
#include "server/jobs/job_rows.h"
#include "server/jobs/job_snapshots.h"
#include "server/runtime/reasons.h"
#include "server/runtime/rpc_status.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// How often the running jobs are looked at when nothing happens: for heartbeats and checkpoints.
constexpr std::chrono::seconds kTick(1);

// Longest wait at once: much longer ones overflow in the standard library.
constexpr absl::Duration kLongestWait = absl::Hours(1);

// Longest pause between two tries to store what a job made.
constexpr absl::Duration kLongestPause = absl::Minutes(1);

// A job during which the server ended so often, without a checkpoint in between, is not tried again.
constexpr int64_t kMostRecoveries = 3;

void LogProblem(absl::string_view what, const std::string& job, const absl::Status& status) {
  Log(LogLevel::kWarning, what, {{"job", job}, {"reason", ReasonOf(status)}, {"error", std::string(status.message())}});
}

absl::Status CheckName(const std::string& name) {
  if (absl::StartsWith(name, "jobs/")) return absl::OkStatus();
  return InvalidArgument(reason::kNameInvalid, "job \"", name, "\" must be jobs/{job}");
}

JobOutcome FailedWith(const absl::Status& status) {
  JobOutcome outcome;
  outcome.state = v1::JOB_STATE_FAILED;
  *outcome.result.mutable_error() = ToRpcStatus(status);
  return outcome;
}

JobOutcome Cancelled() { return {.state = v1::JOB_STATE_CANCELLED, .result = {}}; }

absl::Status ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, reason::kShuttingDown,
               "the server is stopping: try again when it is back");
}

// Why there is nothing to take a snapshot of, and what to do.
absl::string_view WhyWithoutSnapshot(const v1::Job& job) {
  if (!job.has_collect_statistics() && !job.train_midcoder().has_statistics()) {
    return " collects no statistics: train with them, or collect them afterwards";
  }
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      return " has ended, and the snapshots that it left were deleted";
    case v1::JOB_STATE_FAILED:
    case v1::JOB_STATE_CANCELLED:
      return " ended early and counts no more; the snapshots that it took on the way stay: list those of this job";
    default:
      return " has counted nothing yet: ask again after its first batch";
  }
}

// Whether the disk, the host's memory or the server's end is to blame, and not the job.
bool MayPass(const absl::Status& status) {
  const std::string why = ReasonOf(status);
  return why == reason::kStorageFull || why == reason::kStorageFailed || why == reason::kStorageReadOnly ||
         why == reason::kFileWriteFailed || why == reason::kOutOfMemory || why == reason::kShuttingDown;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableJobManager>> DurableJobManager::Create(Options options, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> recovered,
                             parts.store->Recover(parts.clock->Now(), /*all=*/true));
  std::unique_ptr<DurableJobManager> manager(new DurableJobManager(std::move(options), parts));
  for (const std::string& name : recovered) {
    Log(LogLevel::kInfo, "job recovered", {{"job", name}});
    const auto job = parts.store->Get(name);
    if (job.ok()) manager->RemoveFiles(*job);  // of one that was to be cancelled
  }
  manager->thread_ = std::thread([self = manager.get()] { self->Run(); });
  return manager;
}

DurableJobManager::DurableJobManager(Options options, const JobParts& parts)
    : options_(std::move(options)),
      parts_(parts),
      leases_({.interval = options_.heartbeat_interval, .lease = options_.lease}, parts.store, parts.clock) {}

DurableJobManager::~DurableJobManager() { EndThread(); }

void DurableJobManager::EndThread() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  std::map<std::string, Entry> left;
  {
    MutexLock lock(&mutex_);
    left = std::exchange(running_, {});
  }
  for (auto& [name, entry] : left) {
    entry.job->AskToCancel();
    entry.job->Detach();
    if (draining()) GiveBack(entry);  // it came to no checkpoint in time
  }
  snapshot_requests_.Refuse(ShuttingDown());
}

void DurableJobManager::Wake() {
  MutexLock lock(&mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

bool DurableJobManager::draining() const {
  MutexLock lock(&mutex_);
  return draining_;
}

void DurableJobManager::Run() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!woken_ && !ending_) changed_.WaitFor(&mutex_, kTick);
      if (ending_) return;
      woken_ = false;
    }
    Attend();
  }
}

void DurableJobManager::Attend() {
  std::map<std::string, Entry> entries;
  {
    MutexLock lock(&mutex_);
    entries = running_;
  }
  for (auto& [name, entry] : entries) {
    leases_.Keep();
    const bool gone = !leases_.Holds(name) || AttendTo(entry);
    if (gone) leases_.Remove(name);
    {
      MutexLock lock(&mutex_);
      if (gone) {
        running_.erase(name);
      } else {
        running_[name] = entry;
      }
    }
    if (gone) AnswerSnapshotRequests(name);
  }
  entries.clear();  // gives the memory of jobs that have ended back
  StartJobs();
  CountJobs();
  changed_.NotifyAll();
}

bool DurableJobManager::AttendTo(Entry& entry) {
  if (entry.outcome.has_value()) return Settle(entry, *entry.outcome);
  const std::optional<RunningJob::Halt> halt = entry.job->halt();
  if (!halt.has_value()) return AttendToMoving(entry);
  switch (*halt) {
    case RunningJob::Halt::kAtBoundary:
      return AttendToBoundary(entry);
    case RunningJob::Halt::kDone:
      return AttendToDone(entry);
    case RunningJob::Halt::kFailed:
      return Settle(entry, FailedWith(entry.job->failure()));
    case RunningJob::Halt::kCancelled:
      return Settle(entry, Cancelled());
  }
  return false;
}

bool DurableJobManager::CheckpointIsDue(const Entry& entry) const {
  return draining() || parts_.clock->Now() - entry.last_checkpoint >= options_.checkpoint_interval;
}

bool DurableJobManager::AttendToMoving(Entry& entry) {
  if (CheckpointIsDue(entry) || snapshot_requests_.Has(entry.job->claim().job.name())) entry.job->AskForBoundary();
  return false;
}

bool DurableJobManager::AttendToBoundary(Entry& entry) {
  const bool stopping = draining();  // asked once: what is given back has its checkpoint
  if (stopping || CheckpointIsDue(entry)) WriteCheckpoint(entry);
  if (stopping) return GiveBack(entry);
  bool resumed = false;
  const auto resume = [&] {
    if (std::exchange(resumed, true)) return;
    entry.job->Resume();
    parts_.executor->AddWork(entry.job->claim().job.owner(), entry.job);
  };
  TakeSnapshots(entry, resume);
  resume();
  return false;
}

void DurableJobManager::TakeSnapshots(Entry& entry, const std::function<void()>& resume) {
  const v1::Job job = entry.job->claim().job;
  const std::vector<SnapshotRequest> requests = snapshot_requests_.Take(job.name());
  const JobSnapshotParts parts{.snapshots = parts_.snapshots, .clock = parts_.clock, .budget = parts_.budget};
  const absl::Status taken = TakeJobSnapshots(parts, job, entry.job->work(), requests, KeepWritingOf(entry), resume);
  if (!taken.ok()) LogProblem("snapshot not taken", job.name(), taken);
}

void DurableJobManager::AnswerSnapshotRequests(const std::string& name) {
  const std::vector<SnapshotRequest> requests = snapshot_requests_.Take(name);
  if (requests.empty()) return;
  const auto left = SnapshotsLeftBy(name);
  for (const SnapshotRequest& request : requests) request.done(left);
}

absl::StatusOr<std::vector<v1::Snapshot>> DurableJobManager::SnapshotsLeftBy(const std::string& name) {
  if (draining()) return ShuttingDown();
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Job job, parts_.store->Get(name));
  std::vector<v1::Snapshot> snapshots;
  if (job.state() == v1::JOB_STATE_SUCCEEDED) {
    SUPERPOSE_ASSIGN_OR_RETURN(snapshots, parts_.snapshots->AtEndOf(name));
  }
  if (!snapshots.empty()) return snapshots;
  return FailedPrecondition(reason::kJobWithoutStatistics, name, WhyWithoutSnapshot(job));
}

// What the job made is not lost to a disk that is full for a while: it is stored later, by the next server at the
// latest.
bool DurableJobManager::AttendToDone(Entry& entry) {
  if (entry.job->Snapshot().cancel_requested()) return Settle(entry, Cancelled());
  if (entry.pause > absl::ZeroDuration() && !draining() && parts_.clock->Now() < entry.next_try) return false;
  auto result = CatchTorch([&] { return entry.job->work().Finish(KeepWritingOf(entry)); });
  if (result.ok()) return Settle(entry, {.state = v1::JOB_STATE_SUCCEEDED, .result = *std::move(result)});
  if (!MayPass(result.status())) return Settle(entry, FailedWith(result.status()));
  LogProblem("what a job made was not stored", entry.job->claim().job.name(), result.status());
  if (draining()) {
    WriteCheckpoint(entry);
    return GiveBack(entry);
  }
  entry.pause = std::clamp(2 * entry.pause, options_.shortest_pause, kLongestPause);
  entry.next_try = parts_.clock->Now() + entry.pause;
  return false;
}

void DurableJobManager::WriteCheckpoint(Entry& entry) {
  const JobClaim claim = entry.job->claim();
  const auto written = CatchTorch([&] { return entry.job->work().WriteCheckpoint(KeepWritingOf(entry)); });
  if (!written.ok()) LogProblem("checkpoint failed", claim.job.name(), written.status());
  entry.last_checkpoint = parts_.clock->Now();
  if (!written.ok() || !*written) return;
  const absl::Status noted = parts_.store->NoteCheckpoint(claim);
  if (!noted.ok()) LogProblem("checkpoint not noted", claim.job.name(), noted);
}

bool DurableJobManager::GiveBack(Entry& entry) {
  const JobClaim claim = entry.job->claim();
  const auto job = parts_.store->GiveBack(claim, parts_.clock->Now());
  if (!job.ok()) LogProblem("job not given back", claim.job.name(), job.status());
  if (!job.ok()) return true;
  RemoveFiles(*job);
  watchers_.Notify(*job);
  return true;
}

KeepWriting DurableJobManager::KeepWritingOf(const Entry& entry) {
  return [this, name = entry.job->claim().job.name()] {
    leases_.Keep();
    if (!leases_.Holds(name)) {
      return Error(absl::StatusCode::kAborted, reason::kLeaseLost, absl::StrCat(name, " is no longer this server's"));
    }
    MutexLock lock(&mutex_);
    return ending_ ? ShuttingDown() : absl::OkStatus();
  };
}

// Of a job that will not go on.
void DurableJobManager::RemoveFiles(const v1::Job& job) {
  const bool is_over = job.state() == v1::JOB_STATE_SUCCEEDED || job.state() == v1::JOB_STATE_CANCELLED;
  if (!is_over || KeepsFiles(job)) return;
  const absl::Status removed = RemoveAll(parts_.folder->FolderOf(job.name()));
  if (!removed.ok()) LogProblem("checkpoints not removed", job.name(), removed);
}

// Stores how a job ended; where that fails for now it is tried again later.
bool DurableJobManager::Settle(Entry& entry, JobOutcome outcome) {
  const JobClaim claim = entry.job->claim();
  const auto job = parts_.store->Finish(claim, outcome, parts_.clock->Now());
  if (!job.ok()) {
    LogProblem("the end of a job was not stored", claim.job.name(), job.status());
    entry.outcome = std::move(outcome);
    return LeaseIsLost(job.status());
  }
  Log(LogLevel::kInfo, "job ended",
      {{"job", job->name()}, {"state", v1::JobState_Name(job->state())}, {"error", job->error().message()}});
  RemoveFiles(*job);
  watchers_.Notify(*job);
  return true;
}

void DurableJobManager::StartJobs() {
  while (!draining()) {
    const auto active = parts_.store->Active();
    if (!active.ok()) return LogProblem("the queue cannot be read", "", active.status());
    const std::optional<std::string> next = PickNextJob(*active, options_.caps);
    if (!next.has_value()) return;
    auto memory = ReserveMemory(*next);
    if (memory.ok() && *memory == nullptr) return;
    const absl::Status started = StartJob(*next, memory);
    if (!started.ok()) return LogProblem("job not started", *next, started);
  }
}

absl::StatusOr<std::shared_ptr<MemoryReservation>> DurableJobManager::ReserveMemory(const std::string& name) {
  const auto job = parts_.store->Get(name);
  // What its spec names is gone, or it is: whoever makes its work says so.
  const auto estimate = CatchTorch([&]() -> absl::StatusOr<MemoryEstimate> {
    if (!job.ok()) return job.status();
    return options_.estimate_memory(*job, parts_);
  });
  const int64_t bytes = estimate.ok() ? estimate->peak_bytes : 0;
  if (parts_.budget == nullptr || bytes == 0) return std::make_shared<MemoryReservation>();
  SUPERPOSE_RETURN_IF_ERROR(parts_.budget->CheckCanEverFit(
      MemoryUse::kJob, bytes, "this job", "resubmit it smaller, unload something, or raise memory_limit_bytes"));
  auto memory = parts_.budget->Reserve(MemoryUse::kJob, bytes, "this job");
  if (!memory.ok()) return nullptr;
  return std::make_shared<MemoryReservation>(*std::move(memory));
}

absl::StatusOr<std::unique_ptr<JobWork>> DurableJobManager::MakeWork(const JobClaim& claim,
                                                                     const absl::Status& memory) {
  if (claim.recoveries >= kMostRecoveries) {
    return InternalError(reason::kJobCrashed, "the server ended ", claim.recoveries, " times while this job ran, ",
                         "without a checkpoint in between: see its log, and submit the job anew");
  }
  SUPERPOSE_RETURN_IF_ERROR(memory);
  return CatchTorch([&] { return options_.make_work(claim.job, parts_); });
}

absl::Status DurableJobManager::StartJob(const std::string& name,
                                         const absl::StatusOr<std::shared_ptr<MemoryReservation>>& memory) {
  const absl::Time now = parts_.clock->Now();
  SUPERPOSE_ASSIGN_OR_RETURN(const std::optional<JobClaim> claim,
                             parts_.store->Claim(name, options_.worker, now, options_.lease));
  if (!claim.has_value()) return absl::OkStatus();
  Log(LogLevel::kInfo, "job started",
      {{"job", name}, {"owner", claim->job.owner()}, {"attempt", absl::StrCat(claim->job.attempt())}});
  auto work = MakeWork(*claim, memory.status());
  const absl::Status made = work.status();
  auto job = std::make_shared<RunningJob>(
      *claim, made.ok() ? *std::move(work) : nullptr, parts_.clock,
      RunningJob::Place{.device = parts_.executor, .lane = options_.lane},
      RunningJob::Callbacks{.on_halt = [this] { Wake(); },
                            .on_progress = [this](const v1::Job& live) { watchers_.Notify(live); }});
  Entry entry{.job = job, .last_checkpoint = now, .outcome = std::nullopt, .memory = memory.value_or(nullptr)};
  if (!made.ok()) entry.outcome = FailedWith(made);
  leases_.Add(job);
  {
    MutexLock lock(&mutex_);
    running_[name] = entry;
    if (!made.ok()) woken_ = true;  // to settle it
  }
  // A cancel between the claim and now found no running job to tell.
  const auto now_stored = parts_.store->Get(name);
  if (now_stored.ok() && now_stored->cancel_requested()) job->AskToCancel();
  watchers_.Notify(claim->job);
  if (made.ok()) parts_.executor->AddWork(claim->job.owner(), job);
  return absl::OkStatus();
}

void DurableJobManager::CountJobs() {
  const auto counts = parts_.store->CountByState();
  if (!counts.ok()) return;
  for (const v1::JobState state : {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED,
                                   v1::JOB_STATE_FAILED, v1::JOB_STATE_CANCELLED}) {
    const auto found = counts->find(state);
    parts_.metrics->SetJobs(v1::JobState_Name(state).substr(sizeof("JOB_STATE_") - 1),
                            found == counts->end() ? 0.0 : static_cast<double>(found->second));
  }
}

absl::StatusOr<v1::Job> DurableJobManager::Submit(const v1::Job& as_sent, const Resolve& resolve) {
  if (draining()) return ShuttingDown();
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Job> before, parts_.store->FindSubmitted(as_sent));
  if (before.has_value()) return WithLiveFields(*std::move(before), QueueOrderNow());
  v1::Job job = as_sent;
  if (resolve != nullptr) {
    SUPERPOSE_ASSIGN_OR_RETURN(job, resolve(as_sent));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Job kept, parts_.store->Submit(job, as_sent, parts_.clock->Now()));
  Wake();
  return WithLiveFields(std::move(kept), QueueOrderNow());
}

absl::StatusOr<v1::Job> DurableJobManager::Get(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Job job, parts_.store->Get(name));
  const bool queued = job.state() == v1::JOB_STATE_QUEUED;
  return WithLiveFields(std::move(job), queued ? QueueOrderNow() : std::vector<std::string>());
}

absl::StatusOr<JobPage> DurableJobManager::List(const JobFilter& filter, int64_t page_size,
                                                const std::string& page_token) {
  SUPERPOSE_ASSIGN_OR_RETURN(JobPage page, parts_.store->List(filter, page_size, page_token));
  const std::vector<std::string> order = QueueOrderNow();
  for (v1::Job& job : page.jobs) job = WithLiveFields(std::move(job), order);
  return page;
}

absl::StatusOr<v1::Job> DurableJobManager::Cancel(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Job job, parts_.store->Cancel(name, parts_.clock->Now()));
  const std::shared_ptr<RunningJob> running = FindRunning(name);
  if (running != nullptr) running->AskToCancel();
  Wake();
  // Of a running job the manager's thread tells the end: told here, the cancel could come after it.
  if (job.state() == v1::JOB_STATE_CANCELLED) {
    RemoveFiles(job);
    watchers_.Notify(job);
  }
  return WithLiveFields(std::move(job), {});
}

absl::Status DurableJobManager::Delete(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
  SUPERPOSE_RETURN_IF_ERROR(parts_.store->Delete(name));
  const absl::Status removed = RemoveAll(parts_.folder->FolderOf(name));
  if (!removed.ok()) LogProblem("a deleted job's files were not removed", name, removed);
  Wake();
  return absl::OkStatus();
}

void DurableJobManager::TakeSnapshots(const std::string& name, SnapshotRequest request) {
  if (absl::Status named = CheckName(name); !named.ok()) return request.done(named);
  {
    MutexLock lock(&mutex_);
    if (running_.count(name) > 0) {
      snapshot_requests_.Add(name, std::move(request));
      woken_ = true;
      changed_.NotifyAll();
      return;
    }
  }
  request.done(SnapshotsLeftBy(name));
}

std::unique_ptr<JobSubscription> DurableJobManager::Watch(const std::string& name,
                                                          std::function<void(const v1::Job& job)> listener) {
  return watchers_.Add(name, std::move(listener));
}

void DurableJobManager::Stop(absl::Time deadline) {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    woken_ = true;
    changed_.NotifyAll();
    while (!running_.empty()) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      changed_.WaitFor(&mutex_, absl::ToChronoNanoseconds(std::min(left, kLongestWait)));
    }
  }
  EndThread();
}

v1::Job DurableJobManager::WithLiveFields(v1::Job job, const std::vector<std::string>& queue_order) const {
  if (job.state() == v1::JOB_STATE_RUNNING) {
    const std::shared_ptr<RunningJob> running = FindRunning(job.name());
    if (running == nullptr) return job;
    const bool cancel_requested = job.cancel_requested();
    job = running->Snapshot();
    job.set_cancel_requested(cancel_requested || job.cancel_requested());
  }
  if (job.state() == v1::JOB_STATE_QUEUED) {
    const auto place = std::find(queue_order.begin(), queue_order.end(), job.name());
    if (place != queue_order.end()) job.set_queue_position(place - queue_order.begin());
  }
  return job;
}

std::shared_ptr<RunningJob> DurableJobManager::FindRunning(const std::string& name) const {
  MutexLock lock(&mutex_);
  const auto found = running_.find(name);
  return found == running_.end() ? nullptr : found->second.job;
}

std::vector<std::string> DurableJobManager::QueueOrderNow() {
  const auto active = parts_.store->Active();
  return active.ok() ? QueueOrder(*active) : std::vector<std::string>();
}

}  // namespace superpose
