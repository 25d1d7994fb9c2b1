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
  if (stopping_ || (!admitting_ && !request.continues)) return ShuttingDown();
  if (!request.continues && static_cast<int64_t>(requests_.size()) >= options_.max_waiting_requests) {
    return ResourceExhausted(reason::kQueueFull, requests_.size(),
                             " requests wait for the device already: try again in a while");
  }
  requests_.push_back(std::move(request));
  give_way_ = true;
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

void DeviceExecutor::StopAdmitting() {
  MutexLock lock(&mutex_);
  admitting_ = false;
}

void DeviceExecutor::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    give_way_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void DeviceExecutor::Run() {
  ConfigureComputeThread(options_.threads);
  while (const std::optional<size_t> waiting = WaitForSomething()) {
    for (size_t i = 0; i < *waiting; ++i) {
      if (const std::optional<DeviceRequest> request = TakeRequest()) Serve(*request);
    }
    if (const std::optional<FairRotation::Turn> turn = TakeTurn()) RunOneSlice(*turn);
  }
  TurnAllAway();
}

std::optional<size_t> DeviceExecutor::WaitForSomething() {
  MutexLock lock(&mutex_);
  while (!stopping_ && requests_.empty() && works_.empty()) changed_.Wait(&mutex_);
  if (stopping_) return std::nullopt;
  return requests_.size();
}

std::optional<DeviceRequest> DeviceExecutor::TakeRequest() {
  MutexLock lock(&mutex_);
  if (stopping_) return std::nullopt;
  DeviceRequest request = std::move(requests_.front());
  requests_.pop_front();
  metrics_->SetQueueDepth(static_cast<double>(requests_.size()));
  return request;
}

std::optional<FairRotation::Turn> DeviceExecutor::TakeTurn() {
  MutexLock lock(&mutex_);
  if (stopping_ || works_.empty()) return std::nullopt;
  give_way_ = !requests_.empty();
  return works_.Take();
}

void DeviceExecutor::Serve(const DeviceRequest& request) const {
  // First the deadline: gRPC cancels a call whose deadline has passed.
  if (clock_->Now() >= request.deadline) {
    request.run(Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed,
                      "the deadline passed while the request waited for the device"));
  } else if (request.is_cancelled != nullptr && request.is_cancelled()) {
    request.run(absl::CancelledError("the caller cancelled the request before it was run"));
  } else {
    request.run(absl::OkStatus());
  }
}

void DeviceExecutor::RunOneSlice(const FairRotation::Turn& turn) {
  const absl::Time end = clock_->Now() + options_.slice;
  const bool more = turn.work->RunSlice(Budget([&] { return give_way_ || clock_->Now() >= end; }));
  ++slices_run_;
  metrics_->AddSlice();
  if (!more) return;
  MutexLock lock(&mutex_);
  if (!stopping_) works_.Add(turn);
}

void DeviceExecutor::TurnAllAway() {
  std::deque<DeviceRequest> requests;
  FairRotation works;  // goes without the lock: what stands in it may call this object
  {
    MutexLock lock(&mutex_);
    requests = std::exchange(requests_, {});
    works = std::exchange(works_, {});
    metrics_->SetQueueDepth(0);
  }
  for (const DeviceRequest& request : requests) request.run(ShuttingDown());
}

}  // namespace superpose
