// EXPECT_OK and its kin, and a matcher of the client's errors.
#pragma once

#include <string>

#include "client/cpp/errors.h"
#include "tests/status_matchers.h"

namespace superpose::client {

// EXPECT_THAT(result, FailsWith(absl::StatusCode::kNotFound, "MODEL_NOT_FOUND"));
MATCHER_P2(FailsWith, code, reason, "has that code and reason") {
  const absl::Status& status = superpose::StatusOf(arg);
  *result_listener << status.ToString() << " reason " << client::ReasonOf(status);
  return status.code() == code && client::ReasonOf(status) == reason;
}

}  // namespace superpose::client
