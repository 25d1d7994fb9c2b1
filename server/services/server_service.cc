#include "server/services/server_service.h"

#include "server/services/call.h"

namespace superpose {

grpc::ServerUnaryReactor* ServerServiceImpl::GetServerInfo(grpc::CallbackServerContext* context,
                                                           const v1::GetServerInfoRequest*,
                                                           v1::GetServerInfoResponse* response) {
  UnaryCall call(context, metrics_, "GetServerInfo");
  *response = info_;
  response->set_memory_limit_bytes(budget_->limit_bytes());
  response->set_memory_used_bytes(budget_->used_bytes());
  call.Finish(absl::OkStatus());
  return call.reactor();
}

}  // namespace superpose
