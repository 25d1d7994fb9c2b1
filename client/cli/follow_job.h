// Waiting for a job on the command line.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "client/cpp/client.h"

namespace superpose::cli {

// --wait, which is the default, and --detach.
void AddWaitOptions(CLI::App* verb, bool* detach);

// How a wait ended.
struct Followed {
  v1::Job job;
  // kOk when the job succeeded, else what the program is to end with; then the error is already reported.
  ExitCode code = ExitCode::kOk;
};

// Shows the job's progress until it has ended. Ctrl-C and --timeout stop the wait, not the job, and say so.
absl::StatusOr<Followed> FollowJob(const Client& client, const std::string& name, Session* session);

}  // namespace superpose::cli
