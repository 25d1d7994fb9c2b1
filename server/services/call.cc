#include "server/services/call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/reasons.h"
#include "server/runtime/rpc_status.h"
#include "server/services/grpc_status.h"
#include "server/services/limits.h"
#include "server/telemetry/log.h"

namespace superpose {

std::string UserOf(const grpc::CallbackServerContext& context) {
  constexpr size_t kLongestName = 64;
  const auto& metadata = context.client_metadata();
  auto found = metadata.find("x-superpose-user");
  if (found == metadata.end() || found->second.empty()) return "anonymous";
  std::string name(found->second.data(), std::min(found->second.size(), kLongestName));
  // gRPC passes on any bytes; some of them would make a job's owner no valid string, and its lists unreadable.
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
  return name;
}

void Report(const DeviceShare& share, grpc::CallbackServerContext* context) {
  const auto milliseconds = [](absl::Duration time) {
    return absl::StrFormat("%.3f", absl::ToDoubleMilliseconds(time));
  };
  context->AddTrailingMetadata("superpose-queue-ms", milliseconds(share.queued));
  context->AddTrailingMetadata("superpose-compute-ms", milliseconds(share.computed));
  if (share.batch_requests == 0) return;
  context->AddTrailingMetadata("superpose-batch-requests", absl::StrCat(share.batch_requests));
  context->AddTrailingMetadata("superpose-batch-tokens", absl::StrCat(share.batch_tokens));
}

CallRecord::CallRecord(Metrics* metrics, std::string method, std::string user)
    : metrics_(metrics), method_(std::move(method)), user_(std::move(user)), start_(absl::Now()) {
  metrics_->AddOpenRequests(1);
}

void CallRecord::End(const absl::Status& status) {
  absl::Duration duration = absl::Now() - start_;
  metrics_->AddOpenRequests(-1);
  metrics_->RecordRequest(method_, status.code(), duration);
  std::string milliseconds = absl::StrCat(absl::ToInt64Milliseconds(duration));
  if (status.ok()) {
    Log(LogLevel::kInfo, "rpc", {{"method", method_}, {"user", user_}, {"ms", milliseconds}});
    return;
  }
  Log(LogLevel::kWarning, "rpc failed",
      {{"method", method_},
       {"user", user_},
       {"ms", milliseconds},
       {"code", absl::StatusCodeToString(status.code())},
       {"reason", ReasonOf(status)},
       {"error", MessageToSend(status.message())}});
}

UnaryCall::UnaryCall(grpc::CallbackServerContext* context, Metrics* metrics, std::string method)
    : context_(context),
      reactor_(context->DefaultReactor()),
      user_(UserOf(*context)),
      metrics_(metrics),
      record_(metrics, std::move(method), user_) {}

void UnaryCall::Finish(const absl::Status& status) {
  record_.End(status);
  reactor_->Finish(ToGrpcStatus(status));
}

absl::Status UnaryCall::CheckIsWanted() const {
  // First the deadline: gRPC cancels a call whose deadline has passed.
  if (absl::Now() >= deadline()) {
    return Error(absl::StatusCode::kDeadlineExceeded, reason::kDeadlinePassed,
                 "the deadline passed while the request waited for its turn");
  }
  return IsCancelled() ? absl::CancelledError("the caller cancelled the request before it was run") : absl::OkStatus();
}

absl::Status CheckOpenCalls(const Metrics& metrics) {
  if (metrics.open_requests() <= kMostOpenCalls) return absl::OkStatus();
  return ResourceExhausted(reason::kQueueFull, "there are ", kMostOpenCalls,
                           " calls open already: try again in a while");
}

void StartOnWorker(std::shared_ptr<UnaryCall> call, Worker* worker, std::function<absl::Status()> start) {
  if (const absl::Status room = CheckOpenCalls(call->metrics()); !room.ok()) return call->Finish(room);
  worker->Post([call = std::move(call), start = std::move(start)] {
    absl::Status status = call->CheckIsWanted();
    if (status.ok()) status = CatchTorch(start);
    if (!status.ok()) call->Finish(status);
  });
}

grpc::ServerUnaryReactor* RunOnWorker(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker,
                                      std::string method, std::function<absl::Status(const UnaryCall& call)> body) {
  auto call = std::make_shared<UnaryCall>(context, metrics, std::move(method));
  grpc::ServerUnaryReactor* reactor = call->reactor();
  StartOnWorker(call, worker, [call, body = std::move(body)]() -> absl::Status {
    SUPERPOSE_RETURN_IF_ERROR(body(*call));
    call->Finish(absl::OkStatus());
    return absl::OkStatus();
  });
  return reactor;
}

}  // namespace superpose
