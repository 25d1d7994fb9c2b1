// Errors as the client gives them: an absl::Status with the server's code and message, and a stable reason that a
// program can act on.
#pragma once

#include <google/rpc/status.pb.h>
#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace superpose::client {

// The reason of an error, one of those in superpose/v1/errors.proto without the prefix ERROR_REASON_, such as
// "MODEL_NOT_FOUND".
// "" when there is none: for OK, and for failures of the network.
std::string ReasonOf(const absl::Status& status);

// An error with a reason.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message);

// The error with `context` and a colon before its message; code and reason stay.
absl::Status WithContext(const absl::Status& status, absl::string_view context);

// From what came over the wire. Details that cannot be read are left out.
absl::Status FromGrpc(const grpc::Status& status);
absl::Status FromRpc(const google::rpc::Status& status);

}  // namespace superpose::client
