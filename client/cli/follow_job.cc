#include "client/cli/follow_job.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"

namespace superpose::cli {
namespace {

absl::StatusOr<v1::Job> Watch(const Client& client, const std::string& name, Session* session) {
  InterruptGuard interrupt;
  ProgressPrinter printer(&session->terminal());
  client::WatchOptions options;
  options.deadline = session->deadline();
  options.stop = interrupt.token();
  return client.WatchJob(name, [&printer](const v1::Job& job) { printer.Show(job); }, options);
}

}  // namespace

void AddWaitOptions(CLI::App* verb, bool* detach) {
  CLI::Option* option = verb->add_flag("--detach", *detach, "Print the job's name and do not wait");
  const std::string description = "Wait for the job to end and show its progress: the default";
  verb->add_flag("--wait", description)->excludes(option);
}

absl::StatusOr<Followed> FollowJob(const Client& client, const std::string& name, Session* session) {
  absl::StatusOr<v1::Job> job = Watch(client, name, session);
  if (absl::IsCancelled(job.status())) {
    session->terminal().err << "superpose: " << name << " goes on.  superpose watch " << name
                            << "  looks on again,  superpose cancel " << name << "  ends it.\n";
    Followed interrupted;
    interrupted.code = ExitCode::kInterrupted;
    return interrupted;
  }
  if (!job.ok()) return job.status();
  absl::Status outcome = client::OutcomeOf(*job);
  Followed followed;
  followed.job = *std::move(job);
  if (!outcome.ok()) {
    session->ReportError(outcome);
    followed.code = ExitCode::kJobFailed;
  }
  return followed;
}

}  // namespace superpose::cli
