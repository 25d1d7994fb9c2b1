// The one place where an absl::Status becomes what travels: google.rpc.Status with an ErrorInfo detail (reason, domain "superpose").
#pragma once

#include <google/rpc/status.pb.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace superpose {

google::rpc::Status ToRpcStatus(const absl::Status& status);
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace superpose
