#pragma once

#include <google/rpc/status.pb.h>

#include "absl/status/status.h"

namespace superpose {

// What travels for an absl::Status: google.rpc.Status with an ErrorInfo detail (reason, domain "superpose").
google::rpc::Status ToRpcStatus(const absl::Status& status);

}  // namespace superpose
