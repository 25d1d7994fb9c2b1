#include "client/cpp/job_watcher.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace superpose::client {
namespace {

// A stream is renewed after this time: a server that vanished without a word is noticed.
constexpr absl::Duration kStreamLife = absl::Minutes(5);

// How streams end when a server stops or a network breaks. A server that shuts down may cancel its streams.
bool IsBrokenStream(const absl::Status& status) {
  return status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status) || absl::IsDeadlineExceeded(status) ||
         (absl::IsUnknown(status) && ReasonOf(status).empty());
}

}  // namespace

JobWatcher::JobWatcher(const Connection& connection, std::string name, const JobCallback& on_change,
                       const WatchOptions& options)
    : connection_(connection),
      name_(std::move(name)),
      on_change_(on_change),
      options_(options),
      backoff_(absl::Milliseconds(100), absl::Seconds(5)) {}

absl::StatusOr<v1::Job> JobWatcher::Run() {
  while (true) {
    absl::Status status = ReadStream();
    if (IsFinished(job_)) return std::move(job_);
    SUPERPOSE_CLIENT_RETURN_IF_ERROR(CheckGoOn(status));
    absl::Duration left = std::max(options_.deadline - absl::Now(), absl::ZeroDuration());
    Pause(std::min(backoff_.Next(), left), options_.stop);
  }
}

absl::Status JobWatcher::ReadStream() {
  grpc::ClientContext context;
  connection_.Prepare(std::min(options_.deadline, absl::Now() + kStreamLife), &context);
  std::stop_callback cancel(options_.stop, [&context] { context.TryCancel(); });
  v1::WatchJobRequest request;
  request.set_name(name_);
  std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>> reader = connection_.jobs->WatchJob(&context, request);
  v1::WatchJobResponse response;
  bool heard = false;
  while (reader->Read(&response)) {
    Take(response.job());
    heard = true;
  }
  absl::Status status = connection_.StatusOf(reader->Finish());
  // A server that answered and then had nothing to say of a quiet job has not gone away.
  if (heard && absl::IsDeadlineExceeded(status)) last_contact_ = absl::Now();
  return status;
}

void JobWatcher::Take(const v1::Job& job) {
  job_ = job;
  last_contact_ = absl::Now();
  backoff_.Reset();
  if (on_change_) on_change_(job_);
}

absl::Status JobWatcher::CheckGoOn(const absl::Status& status) const {
  if (options_.stop.stop_requested())
    return absl::CancelledError(absl::StrCat("stopped watching ", name_, ", which goes on"));
  absl::Time now = absl::Now();
  if (now >= options_.deadline) {
    return MakeError(absl::StatusCode::kDeadlineExceeded, "DEADLINE_PASSED",
                     absl::StrCat("the deadline passed before ", name_, " ended; it goes on"));
  }
  if (!IsBrokenStream(status)) return status;
  if (last_contact_ == absl::InfinitePast()) {
    return status.ok() ? absl::InternalError(absl::StrCat("the server says nothing of ", name_)) : status;
  }
  if (now - last_contact_ <= options_.reconnect_for) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the server went away ",
                                             absl::FormatDuration(absl::Trunc(now - last_contact_, absl::Seconds(1))),
                                             " ago, while ", name_, " was not finished: ", status.message()));
}

}  // namespace superpose::client
