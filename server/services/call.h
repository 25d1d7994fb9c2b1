// What every RPC does around its work: it runs away from gRPC's threads, is timed, counted and logged, and ends in one
// place.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/runtime/worker.h"
#include "server/telemetry/metrics.h"

namespace superpose {

// Who calls, as the client says in the metadata "x-superpose-user"; "anonymous" when it does not. There is no
// authentication yet: the name shares the device fairly and tells colleagues apart, no more.
std::string UserOf(const grpc::CallbackServerContext& context);

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

  // Ends the call; exactly once.
  void Finish(const absl::Status& status);
  bool IsCancelled() const { return context_->IsCancelled(); }
  absl::Time deadline() const { return absl::FromChrono(context_->deadline()); }
  const std::string& user() const { return user_; }
  grpc::ServerUnaryReactor* reactor() const { return reactor_; }

 private:
  grpc::CallbackServerContext* const context_;
  grpc::ServerUnaryReactor* const reactor_;
  const std::string user_;
  CallRecord record_;
};

// Runs `body` on `worker` and answers with the status it returns. Request and response live until then.
grpc::ServerUnaryReactor* RunOnWorker(grpc::CallbackServerContext* context, Metrics* metrics, Worker* worker,
                                      std::string method, std::function<absl::Status(const UnaryCall& call)> body);

}  // namespace superpose
