// What a verb works with: the options that all verbs share, the terminal, and the way to the server.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/exit_code.h"
#include "client/cli/terminal.h"
#include "client/cpp/client.h"

namespace superpose::cli {

struct GlobalOptions {
  std::string server = client::kDefaultAddress;
  std::string user;
  bool json = false;
  // Of the whole command where it waits for a job, of each call elsewhere; InfiniteDuration when it was not given.
  absl::Duration timeout = absl::InfiniteDuration();
};

class Session {
 public:
  Session(GlobalOptions options, Terminal* terminal)
      : options_(std::move(options)), terminal_(*terminal), deadline_(absl::Now() + options_.timeout) {}

  absl::StatusOr<Client> Connect() const;
  bool json() const { return options_.json; }
  // When waiting ends.
  absl::Time deadline() const { return deadline_; }
  Terminal& terminal() { return terminal_; }
  std::ostream& out() { return terminal_.out; }

  // Writes an error to standard error: message, code and reason.
  void ReportError(const absl::Status& status);

 private:
  const GlobalOptions options_;
  Terminal& terminal_;
  const absl::Time deadline_;
};

// What a verb does once the command line is read. An error is reported by the caller.
using Action = std::function<absl::StatusOr<ExitCode>(Session& session)>;

ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace superpose::cli
