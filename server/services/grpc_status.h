#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "server/runtime/rpc_status.h"

namespace superpose {

// How every RPC ends.
inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), MessageToSend(status.message()),
                      ToRpcStatus(status).SerializeAsString());
}

}  // namespace superpose
