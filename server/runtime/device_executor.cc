#include "server/runtime/device_executor.h"

#include <algorithm>
#include <cstddef>
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

const BatchItem& ItemOf(const DeviceRequest& request) {
  static const BatchItem* const kAlone = new BatchItem();
  return request.work == nullptr ? *kAlone : request.work->batch_item();
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
  requests_.push_back({std::move(request), clock_->Now()});
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
    for (size_t served = 0; served < *waiting;) {
      std::vector<Waiting> batch = TakeBatch();
      if (batch.empty()) break;
      served += batch.size();
      Serve(std::move(batch));
    }
    if (const std::optional<FairRotation::Turn> turn = TakeTurn()) RunOneSlice(*turn);
  }
  TurnAllAway();
}

std::optional<size_t> DeviceExecutor::WaitForSomething() {
  MutexLock lock(&mutex_);
  while (!stopping_ && requests_.empty() && works_.empty()) changed_.Wait(&mutex_);
  while (!stopping_) {
    const absl::Duration more = TimeToGather();
    if (more <= absl::ZeroDuration()) break;
    changed_.WaitFor(&mutex_, absl::ToChronoNanoseconds(more));
  }
  if (stopping_) return std::nullopt;
  return requests_.size();
}

absl::Duration DeviceExecutor::TimeToGather() const {
  if (!works_.empty() || !IsWorthWaiting(Items(), crowd_, options_.batch)) return absl::ZeroDuration();
  return crowd_.until - clock_->Now();
}

std::vector<const BatchItem*> DeviceExecutor::Items() const {
  std::vector<const BatchItem*> items;
  items.reserve(requests_.size());
  for (const Waiting& waiting : requests_) items.push_back(&ItemOf(waiting.request));
  return items;
}

std::vector<DeviceExecutor::Waiting> DeviceExecutor::TakeBatch() {
  MutexLock lock(&mutex_);
  std::vector<Waiting> batch;
  if (stopping_) return batch;
  std::vector<size_t> chosen = ChooseBatch(Items(), options_.batch);
  for (const size_t index : chosen) batch.push_back(std::move(requests_[index]));
  std::reverse(chosen.begin(), chosen.end());  // so that what goes moves no index that is left
  for (const size_t index : chosen) requests_.erase(requests_.begin() + static_cast<std::ptrdiff_t>(index));
  metrics_->SetQueueDepth(static_cast<double>(requests_.size()));
  return batch;
}

std::optional<FairRotation::Turn> DeviceExecutor::TakeTurn() {
  MutexLock lock(&mutex_);
  if (stopping_ || works_.empty()) return std::nullopt;
  give_way_ = !requests_.empty();
  return works_.Take();
}

void DeviceExecutor::Serve(std::vector<Waiting> batch) {
  const std::string key = ItemOf(batch.front().request).key;
  const size_t served = batch.size();
  std::vector<Waiting> wanted;
  for (Waiting& waiting : batch) {
    const absl::Status status = CheckIsWanted(waiting.request);
    if (status.ok()) {
      wanted.push_back(std::move(waiting));
      continue;
    }
    if (waiting.request.share != nullptr) waiting.request.share->queued += clock_->Now() - waiting.since;
    waiting.request.run(status);
  }
  const absl::Time answered = wanted.empty() ? clock_->Now() : RunBatch(absl::MakeSpan(wanted));
  if (!key.empty()) RememberCrowd(key, served, answered);
}

absl::Status DeviceExecutor::CheckIsWanted(const DeviceRequest& request) const {
  // First the deadline: gRPC cancels a call whose deadline has passed.
  if (clock_->Now() >= request.deadline) {
    return Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed,
                 "the deadline passed while the request waited for the device");
  }
  if (request.is_cancelled == nullptr || !request.is_cancelled()) return absl::OkStatus();
  return absl::CancelledError("the caller cancelled the request before it was run");
}

absl::Time DeviceExecutor::RunBatch(absl::Span<Waiting> batch) {
  const absl::Time began = clock_->Now();
  const absl::Status together = batch.size() > 1 ? RunTogether(batch) : absl::OkStatus();
  if (together.ok()) {
    const absl::Time computed = clock_->Now();
    const DeviceShare share = ShareOf(batch, began);
    for (const Waiting& waiting : batch) RunOne(waiting, share);
    return batch.size() > 1 ? computed : clock_->Now();
  }
  metrics_->AddSplitBatch();
  // What was too large goes by halves; else one of them is at fault, and the others must not suffer.
  const size_t part = together.code() == absl::StatusCode::kResourceExhausted ? batch.size() / 2 : 1;
  absl::Time answered = absl::InfiniteFuture();
  for (size_t begin = 0; begin < batch.size(); begin += part)
    answered = std::min(answered, RunBatch(batch.subspan(begin, std::min(part, batch.size() - begin))));
  return answered;
}

absl::Status DeviceExecutor::RunTogether(absl::Span<Waiting> batch) {
  std::vector<BatchableWork*> works;
  works.reserve(batch.size());
  for (const Waiting& waiting : batch) works.push_back(waiting.request.work.get());
  return works.front()->RunTogether(works);
}

DeviceShare DeviceExecutor::ShareOf(absl::Span<const Waiting> batch, absl::Time began) const {
  DeviceShare share{.began = began};
  std::vector<const BatchItem*> items;
  for (const Waiting& waiting : batch) items.push_back(&ItemOf(waiting.request));
  if (items.front()->key.empty()) return share;
  share.batch_requests = static_cast<int64_t>(items.size());
  share.batch_tokens = TokensOf(items);
  metrics_->ObserveBatch(share.batch_requests, share.batch_tokens);
  return share;
}

void DeviceExecutor::RunOne(const Waiting& waiting, DeviceShare share) {
  const DeviceRequest& request = waiting.request;
  if (request.share == nullptr) return request.run(absl::OkStatus());
  const absl::Duration queued = share.began - waiting.since;
  share.queued = request.share->queued + queued;
  share.computed = request.share->computed;
  *request.share = share;
  request.run(absl::OkStatus());
  metrics_->ObserveRun(queued, clock_->Now() - share.began);
}

void DeviceExecutor::RememberCrowd(const std::string& key, size_t served, absl::Time answered) {
  MutexLock lock(&mutex_);
  // Whoever came after the first answer may be one of those that were served.
  const auto is_another = [&](const Waiting& waiting) {
    return waiting.since < answered && ItemOf(waiting.request).key == key;
  };
  const auto waiting = std::count_if(requests_.begin(), requests_.end(), is_another);
  crowd_ = {key, std::min(static_cast<int64_t>(served) + waiting, options_.batch.max_requests),
            clock_->Now() + options_.batch.max_delay};
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
  std::deque<Waiting> requests;
  FairRotation works;  // goes without the lock: what stands in it may call this object
  {
    MutexLock lock(&mutex_);
    requests = std::exchange(requests_, {});
    works = std::exchange(works_, {});
    metrics_->SetQueueDepth(0);
  }
  for (const Waiting& waiting : requests) waiting.request.run(ShuttingDown());
}

}  // namespace superpose
