#include "server/jobs/durable_job_manager.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/runtime/reasons.h"
#include "server/runtime/rpc_status.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// How often the running jobs are looked at when nothing happens: for heartbeats and checkpoints.
constexpr std::chrono::seconds kTick(1);

// Longest wait at once: much longer ones overflow in the standard library.
constexpr absl::Duration kLongestWait = absl::Hours(1);

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

bool LeaseIsLost(const absl::Status& status) {
  return ReasonOf(status) == reason::kLeaseLost || ReasonOf(status) == reason::kJobNotFound;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DurableJobManager>> DurableJobManager::Create(Options options, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> recovered,
                             parts.store->Recover(parts.clock->Now(), /*all=*/true));
  for (const std::string& name : recovered) Log(LogLevel::kInfo, "job recovered", {{"job", name}});
  std::unique_ptr<DurableJobManager> manager(new DurableJobManager(std::move(options), parts));
  manager->thread_ = std::thread([self = manager.get()] { self->Run(); });
  return manager;
}

DurableJobManager::DurableJobManager(Options options, const JobParts& parts)
    : options_(std::move(options)), parts_(parts) {}

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
  }
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
    const bool gone = AttendTo(entry);
    MutexLock lock(&mutex_);
    if (gone) {
      running_.erase(name);
    } else {
      running_[name] = entry;
    }
  }
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
      return Settle(entry, OutcomeOfDone(entry));
    case RunningJob::Halt::kFailed:
      return Settle(entry, FailedWith(entry.job->failure()));
    case RunningJob::Halt::kCancelled:
      return Settle(entry, {.state = v1::JOB_STATE_CANCELLED, .result = {}});
  }
  return false;
}

bool DurableJobManager::AttendToMoving(Entry& entry) {
  const absl::Time now = parts_.clock->Now();
  if (draining() || now - entry.last_checkpoint >= options_.checkpoint_interval) entry.job->AskForBoundary();
  if (now - entry.last_heartbeat < options_.heartbeat_interval) return false;
  entry.last_heartbeat = now;
  const JobClaim claim = entry.job->claim();
  const auto job = parts_.store->Heartbeat(claim, now, options_.lease);
  if (!job.ok()) {
    LogProblem("heartbeat failed", claim.job.name(), job.status());
    if (!LeaseIsLost(job.status())) return false;
    entry.job->AskToCancel();
    entry.job->Detach();
    return true;
  }
  if (job->cancel_requested()) entry.job->AskToCancel();
  return false;
}

bool DurableJobManager::AttendToBoundary(Entry& entry) {
  const JobClaim claim = entry.job->claim();
  const absl::Status written = entry.job->work().WriteCheckpoint();
  if (!written.ok()) LogProblem("checkpoint failed", claim.job.name(), written);
  entry.last_checkpoint = parts_.clock->Now();
  if (draining()) {
    const auto given_back = parts_.store->GiveBack(claim, parts_.clock->Now());
    if (!given_back.ok()) LogProblem("job not given back", claim.job.name(), given_back.status());
    if (given_back.ok()) watchers_.Notify(*given_back);
    return true;
  }
  entry.job->Resume();
  parts_.executor->AddWork(claim.job.owner(), entry.job);
  return false;
}

JobOutcome DurableJobManager::OutcomeOfDone(Entry& entry) const {
  auto result = entry.job->work().Finish();
  if (!result.ok()) return FailedWith(result.status());
  return {.state = v1::JOB_STATE_SUCCEEDED, .result = *std::move(result)};
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
  if (job->state() == v1::JOB_STATE_SUCCEEDED) {
    const absl::Status removed = RemoveAll(parts_.folder->FolderOf(job->name()));
    if (!removed.ok()) LogProblem("checkpoints not removed", job->name(), removed);
  }
  watchers_.Notify(*job);
  return true;
}

void DurableJobManager::StartJobs() {
  while (!draining()) {
    const auto active = parts_.store->Active();
    if (!active.ok()) return LogProblem("the queue cannot be read", "", active.status());
    const std::optional<std::string> next = PickNextJob(*active, options_.caps);
    if (!next.has_value()) return;
    const absl::Status started = StartJob(*next);
    if (!started.ok()) return LogProblem("job not started", *next, started);
  }
}

absl::Status DurableJobManager::StartJob(const std::string& name) {
  const absl::Time now = parts_.clock->Now();
  SUPERPOSE_ASSIGN_OR_RETURN(const std::optional<JobClaim> claim,
                             parts_.store->Claim(name, options_.worker, now, options_.lease));
  if (!claim.has_value()) return absl::OkStatus();
  Log(LogLevel::kInfo, "job started",
      {{"job", name}, {"owner", claim->job.owner()}, {"attempt", absl::StrCat(claim->job.attempt())}});
  auto work = options_.make_work(claim->job, parts_);
  const absl::Status made = work.status();
  auto job = std::make_shared<RunningJob>(
      *claim, made.ok() ? *std::move(work) : nullptr, parts_.clock,
      RunningJob::Callbacks{.on_halt = [this] { Wake(); },
                            .on_progress = [this](const v1::Job& live) { watchers_.Notify(live); }});
  Entry entry{.job = job, .last_checkpoint = now, .last_heartbeat = now, .outcome = std::nullopt};
  if (!made.ok()) entry.outcome = FailedWith(made);
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

absl::StatusOr<v1::Job> DurableJobManager::Submit(const v1::Job& job) {
  if (draining()) {
    return Error(absl::StatusCode::kUnavailable, reason::kShuttingDown,
                 "the server is stopping: try again when it is back");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Job kept, parts_.store->Submit(job, parts_.clock->Now()));
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
  if (job.state() == v1::JOB_STATE_CANCELLED) watchers_.Notify(job);
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
  auto active = parts_.store->Active();
  return active.ok() ? QueueOrder(*std::move(active)) : std::vector<std::string>();
}

}  // namespace superpose
