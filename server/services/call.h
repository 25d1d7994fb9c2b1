// What every RPC does around its work: it runs away from gRPC's threads, is timed, counted and logged, and ends in one
// place.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/device_share.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"

namespace superpose {

// Who calls, as the client says in the metadata "x-superpose-user"; "anonymous" when it does not. There is no
// authentication yet: the name shares the device fairly and tells colleagues apart, no more.
std::string UserOf(const grpc::CallbackServerContext& context);

// Puts what the device spent on a call into its trailing metadata, before it ends (proto/.../feature_service.proto).
void Report(const DeviceShare& share, grpc::CallbackServerContext* context);

// Times one RPC and reports how it ended, once.
class CallRecord {
 public:
  CallRecord(Metrics* metrics, std::string method, std::string user);
  void End(const absl::Status& status);

 private:
  Metrics* const metrics_;
  const std::string method_;
  const std::string user_;
  const absl::Time start_;
};

// One unary RPC whose answer comes later, from any thread.
class UnaryCall {
 public:
  UnaryCall(grpc::CallbackServerContext* context, Metrics* metrics, std::string method);

  // What the device spent on it; once, before Finish().
  void Report(const DeviceShare& share) { superpose::Report(share, context_); }
  // Ends the call; exactly once.
  void Finish(const absl::Status& status);
  // Whether somebody still waits for it: DEADLINE_EXCEEDED / DEADLINE_PASSED, CANCELLED.
  absl::Status CheckIsWanted() const;
  bool IsCancelled() const { return context_->IsCancelled(); }
  absl::Time deadline() const { return absl::FromChrono(context_->deadline()); }
  const std::string& user() const { return user_; }
  const Metrics& metrics() const { return *metrics_; }
  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

 private:
  grpc::CallbackServerContext* const context_;
  grpc::ServerUnaryReactor* const reactor_;
  const std::string user_;
  Metrics* const metrics_;
  CallRecord record_;
};

// RESOURCE_EXHAUSTED / QUEUE_FULL when so many calls are open that no more are taken: so are the queues of workers, of
// which a call stands in one at a time, bounded, and what calls hold.
absl::Status CheckOpenCalls(const Metrics& metrics);

// Runs `start` on `worker`, unless the call is wanted no more or there are too many. An error ends the call; after OK,
// whoever `start` gave the call to ends it. No exception leaves it: OUT_OF_MEMORY, COMPUTE_FAILED.
void StartOnWorker(std::shared_ptr<UnaryCall> call, Worker* worker, std::function<absl::Status()> start);

// Likewise, and answers with the status that `body` returns. Request and response live until then.
grpc::ServerUnaryReactor* RunOnWorker(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker,
                                      std::string method, std::function<absl::Status(const UnaryCall& call)> body);

// Starts a stream, which ends itself, with the value or the error that `prepare` returns on `worker`; with QUEUE_FULL,
// at once, when there are too many calls. No exception leaves it.
template <typename Stream, typename Prepare>
void StartStream(const Metrics& metrics, Worker* worker, Stream* stream, Prepare prepare) {
  if (absl::Status room = CheckOpenCalls(metrics); !room.ok()) return stream->Start(room);
  worker->Post([stream, prepare = std::move(prepare)] { stream->Start(CatchTorch(prepare)); });
}

}  // namespace superpose
