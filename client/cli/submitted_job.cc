#include "client/cli/submitted_job.h"

#include "client/cli/follow_job.h"
#include "client/cli/json_output.h"

namespace superpose::cli {

void AddSubmitOptions(CLI::App* verb, SubmitChoice* choice) {
  verb->add_option("--priority", choice->options.priority, "Higher goes first [0]")->type_name("N");
  verb->add_option("--request-id", choice->options.request_id, "The same id gives the same job [a new one]")
      ->type_name("ID");
  AddWaitOptions(verb, &choice->detach);
}

absl::StatusOr<ExitCode> FinishJob(const Client& client, const v1::Job& job, bool detach, Session* session,
                                   const std::function<absl::Status(const v1::Job& job)>& print) {
  if (detach) {
    session->out() << (session->json() ? ToJson(job) : job.name() + "\n");
    return ExitCode::kOk;
  }
  absl::StatusOr<Followed> followed = FollowJob(client, job.name(), session);
  if (!followed.ok()) return followed.status();
  if (followed->code == ExitCode::kInterrupted) return followed->code;
  if (session->json()) {
    session->out() << ToJson(followed->job);
  } else if (followed->code == ExitCode::kOk) {
    if (absl::Status status = print(followed->job); !status.ok()) return status;
  }
  return followed->code;
}

}  // namespace superpose::cli
