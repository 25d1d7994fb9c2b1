// Calls that cannot be right, and how each is to be refused.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/client/matchers.h"
#include "tests/integration/text_call.h"

namespace superpose {

struct BadCall {
  TextCall call;
  std::string request;
  absl::StatusCode code;
  std::string reason;
  std::string in_message;
};
using BadCalls = std::vector<BadCall>;

inline void ExpectRefused(const std::shared_ptr<grpc::Channel>& channel, const BadCalls& calls) {
  for (const BadCall& bad : calls) {
    const absl::Status status = bad.call(channel, bad.request);
    EXPECT_THAT(status, client::FailsWith(bad.code, bad.reason)) << bad.request.substr(0, 200);
    EXPECT_THAT(status, MessageHas(bad.in_message)) << bad.request.substr(0, 200);
  }
}

}  // namespace superpose
