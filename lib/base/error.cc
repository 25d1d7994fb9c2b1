#include "lib/base/error.h"

#include "absl/strings/cord.h"

namespace superpose {
namespace {
constexpr absl::string_view kReasonPayload = "superpose/reason";
}  // namespace

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message) {
  absl::Status status(code, message);
  status.SetPayload(kReasonPayload, absl::Cord(reason));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  auto payload = status.GetPayload(kReasonPayload);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::Status WithContext(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return Error(status.code(), ReasonOf(status), absl::StrCat(context, ": ", status.message()));
}

}  // namespace superpose
