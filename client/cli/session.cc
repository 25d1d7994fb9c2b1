#include "client/cli/session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/json_output.h"
#include "client/cli/text.h"

namespace superpose::cli {

absl::StatusOr<Client> Session::Connect() const {
  client::ClientOptions options;
  options.user = options_.user;
  if (options_.timeout != absl::InfiniteDuration()) {
    options.deadline = options_.timeout;
    options.stream_deadline = options_.timeout;
  }
  return Client::Connect(options_.server, std::move(options));
}

void Session::ReportError(const absl::Status& status) {
  if (options_.json) {
    terminal_.err << ErrorToJson(status);
    return;
  }
  std::string reason = client::ReasonOf(status);
  terminal_.err << "superpose: " << Visible(status.message()) << " (" << absl::StatusCodeToString(status.code())
                << (reason.empty() ? "" : ", ") << Visible(reason) << ")\n";
}

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kTimeout;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace superpose::cli
