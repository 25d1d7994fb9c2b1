#include "server/runtime/device_executor.h"

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/kernels/compute_thread.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

absl::Status ShuttingDown() {
  return Error(absl::StatusCode::kUnavailable, reason::kShuttingDown,
               "the server is stopping: try again when it is back");
}

}  // namespace

DeviceExecutor::DeviceExecutor(const Options& options, const Clock* clock, Metrics* metrics)
    : options_(options), clock_(clock), metrics_(metrics), thread_([this] { Run(); }) {}

DeviceExecutor::~DeviceExecutor() { Stop(); }

absl::Status DeviceExecutor::Submit(DeviceRequest request) {
  MutexLock lock(&mutex_);
  if (stopping_) return ShuttingDown();
  if (!request.continues && static_cast<int64_t>(requests_.size()) >= options_.max_waiting_requests) {
    return ResourceExhausted(reason::kQueueFull, requests_.size(),
                             " requests wait for the device already: try again in a while");
  }
  requests_.push_back(std::move(request));
  request_waits_ = true;
  metrics_->SetQueueDepth(static_cast<double>(requests_.size()));
  changed_.NotifyOne();
  return absl::OkStatus();
}

void DeviceExecutor::AddWork(const std::string& user, std::shared_ptr<SlicedWork> work) {
  MutexLock lock(&mutex_);
  if (stopping_) return;
  works_.Add({user, std::move(work)});
  changed_.NotifyOne();
}

absl::Status DeviceExecutor::RunAndWait(const std::function<absl::Status()>& body) {
  Notification done;
  absl::Status result;
  DeviceRequest request;
  request.continues = true;
  request.run = [&](const absl::Status& admitted) {
    result = admitted.ok() ? body() : admitted;
    done.Notify();
  };
  SUPERPOSE_RETURN_IF_ERROR(Submit(std::move(request)));
  done.Wait();
  return result;
}

void DeviceExecutor::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void DeviceExecutor::Run() {
  ConfigureComputeThread(options_.threads);
  while (true) {
    std::deque<DeviceRequest> requests;
    FairRotation::Turn turn;
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && requests_.empty() && works_.empty()) changed_.Wait(&mutex_);
      if (stopping_) break;
      requests = std::exchange(requests_, {});
      request_waits_ = false;
      metrics_->SetQueueDepth(0);
      if (!works_.empty()) turn = works_.Take();
    }
    for (const DeviceRequest& request : requests) Serve(request);
    if (turn.work != nullptr) RunOneSlice(std::move(turn));
  }
  TurnAllAway();
}

void DeviceExecutor::Serve(const DeviceRequest& request) const {
  if (request.is_cancelled != nullptr && request.is_cancelled()) {
    request.run(absl::CancelledError("the caller cancelled the request before it was run"));
  } else if (clock_->Now() >= request.deadline) {
    request.run(Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed,
                      "the deadline passed while the request waited for the device"));
  } else {
    request.run(absl::OkStatus());
  }
}

void DeviceExecutor::RunOneSlice(FairRotation::Turn turn) {
  const absl::Time end = clock_->Now() + options_.slice;
  const bool more = turn.work->RunSlice(Budget([&] { return request_waits_ || clock_->Now() >= end; }));
  ++slices_run_;
  metrics_->AddSlice();
  if (!more) return;
  MutexLock lock(&mutex_);
  works_.Add(std::move(turn));
}

void DeviceExecutor::TurnAllAway() {
  std::deque<DeviceRequest> requests;
  {
    MutexLock lock(&mutex_);
    requests = std::exchange(requests_, {});
    works_.Clear();
  }
  for (const DeviceRequest& request : requests) request.run(ShuttingDown());
}

}  // namespace superpose
