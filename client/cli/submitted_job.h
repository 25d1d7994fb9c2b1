// A job that a verb has submitted: follow it and print what it made.
#pragma once

#include <CLI/App.hpp>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "client/cpp/client.h"

namespace superpose::cli {

struct SubmitChoice {
  client::SubmitOptions options;
  bool detach = false;
};

// --priority, --request-id, --wait, --detach.
void AddSubmitOptions(CLI::App* verb, SubmitChoice* choice);

// With `detach` prints its name alone. Else waits until it has ended, and lets `print` write what it made; with --json
// the job itself is printed.
absl::StatusOr<ExitCode> FinishJob(const Client& client, const v1::Job& job, bool detach, Session* session,
                                   const std::function<absl::Status(const v1::Job& job)>& print);

}  // namespace superpose::cli
