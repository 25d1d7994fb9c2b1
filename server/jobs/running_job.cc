#include "server/jobs/running_job.h"

#include <utility>

#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

constexpr absl::Duration kProgressInterval = absl::Milliseconds(200);

}  // namespace

RunningJob::RunningJob(JobClaim claim, std::unique_ptr<JobWork> work, const Clock* clock, const Place& place,
                       Callbacks callbacks)
    : claim_(std::move(claim)),
      work_(std::move(work)),
      long_slices_(dynamic_cast<const LongSlices*>(work_.get())),
      clock_(clock),
      place_(place),
      callbacks_(std::move(callbacks)) {
  MutexLock lock(&mutex_);
  report_.progress = claim_.job.progress();
  report_.metrics = {claim_.job.metrics().begin(), claim_.job.metrics().end()};
}

bool RunningJob::RunSlice(const Budget& budget) {
  if (place_.lane != nullptr && !cancel_wanted_ && NextIsLong()) return StepAside();
  return RunHere(budget);
}

bool RunningJob::StepAside() {
  {
    const MutexLock lock(&mutex_);
    waits_for_lane_ = true;
    ReportLocked();  // for long there will be nothing new
  }
  place_.lane->Post([self = shared_from_this()] { self->RunAside(); });
  // Whoever asked before it waited took it for one that runs.
  if (boundary_wanted_) LeaveLane(Halt::kAtBoundary);
  if (cancel_wanted_) LeaveLane(Halt::kCancelled);
  return false;
}

// May come more than once for a time that it waited, and after it has left.
void RunningJob::RunAside() {
  {
    const MutexLock lock(&mutex_);
    if (!std::exchange(waits_for_lane_, false)) return;
  }
  const bool more = RunHere(Budget([] { return true; }));
  if (more) place_.device->AddWork(claim_.job.owner(), shared_from_this());
}

void RunningJob::LeaveLane(Halt halt) {
  const MutexLock lock(&mutex_);
  if (!waits_for_lane_ || (halt == Halt::kAtBoundary && !work_->AtBoundary())) return;
  waits_for_lane_ = false;
  HaltLocked(halt);
}

bool RunningJob::RunHere(const Budget& budget) {
  if (cancel_wanted_) return HaltAs(Halt::kCancelled);
  const Budget own([&] { return budget.Exhausted() || cancel_wanted_ || (boundary_wanted_ && work_->AtBoundary()); });
  const auto result = CatchTorch([&] {
    auto done = work_->RunSlice(own);
    Publish();
    return done;
  });
  if (!result.ok()) {
    MutexLock lock(&mutex_);
    failure_ = result.status();
  }
  if (!result.ok()) return HaltAs(Halt::kFailed);
  if (*result) return HaltAs(cancel_wanted_ ? Halt::kCancelled : Halt::kDone);
  if (work_->AtBoundary() && (boundary_wanted_ || work_->SnapshotIsDue())) return HaltAs(Halt::kAtBoundary);
  return true;
}

bool RunningJob::HaltAs(Halt halt) {
  const MutexLock lock(&mutex_);
  HaltLocked(halt);
  return false;
}

void RunningJob::HaltLocked(Halt halt) {
  halt_ = halt;
  if (callbacks_.on_halt != nullptr) callbacks_.on_halt();
}

void RunningJob::Publish() {
  const WorkReport report = work_->Report();
  const absl::Time now = clock_->Now();
  MutexLock lock(&mutex_);
  report_ = report;
  if (measure_start_ == absl::InfiniteFuture()) {
    measure_start_ = now;
    measure_done_ = report_.progress.done();
  }
  if (now - last_progress_ >= kProgressInterval) ReportLocked();
}

void RunningJob::ReportLocked() {
  if (callbacks_.on_progress == nullptr) return;
  last_progress_ = clock_->Now();
  callbacks_.on_progress(SnapshotLocked());
}

void RunningJob::AskForBoundary() {
  boundary_wanted_ = true;
  LeaveLane(Halt::kAtBoundary);
}

void RunningJob::AskToCancel() {
  cancel_wanted_ = true;
  LeaveLane(Halt::kCancelled);
}

void RunningJob::Detach() {
  MutexLock lock(&mutex_);
  callbacks_ = {};
}

std::optional<RunningJob::Halt> RunningJob::halt() const {
  MutexLock lock(&mutex_);
  return halt_;
}

void RunningJob::Resume() {
  boundary_wanted_ = false;
  MutexLock lock(&mutex_);
  halt_.reset();
}

absl::Status RunningJob::failure() const {
  MutexLock lock(&mutex_);
  return failure_;
}

v1::Job RunningJob::Snapshot() const {
  MutexLock lock(&mutex_);
  return SnapshotLocked();
}

v1::Job RunningJob::SnapshotLocked() const {
  v1::Job job = claim_.job;
  *job.mutable_progress() = report_.progress;
  job.mutable_metrics()->clear();
  job.mutable_metrics()->insert(report_.metrics.begin(), report_.metrics.end());
  job.set_cancel_requested(cancel_wanted_);
  const int64_t done = report_.progress.done() - measure_done_;
  const double seconds = done > 0 ? absl::ToDoubleSeconds(clock_->Now() - measure_start_) : 0;
  if (seconds > 0) {
    const auto left = static_cast<double>(report_.progress.total() - report_.progress.done());
    job.mutable_time_left()->set_seconds(static_cast<int64_t>(left * seconds / static_cast<double>(done)));
  }
  return job;
}

JobClaim RunningJob::claim() const { return {Snapshot(), claim_.fencing_token}; }

}  // namespace superpose
