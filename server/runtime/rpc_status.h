#pragma once

#include <google/rpc/status.pb.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace superpose {

// At most 1 KiB of an error's message, cut between characters of UTF-8 and then ended with " ..": an RPC carries it
// twice, beside its code and reason, in metadata that clients bound. What is no UTF-8 (names that stand in files end up
// in messages) becomes U+FFFD, without which a client could not read the error.
std::string MessageToSend(absl::string_view bytes);

// What travels for an absl::Status: google.rpc.Status with the message to send and an ErrorInfo detail (reason, domain
// "superpose").
google::rpc::Status ToRpcStatus(const absl::Status& status);

}  // namespace superpose
