#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/follow_job.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"
#include "superpose/v1/job_service.pb.h"

namespace superpose::cli {
namespace {

struct ListOptions {
  std::vector<std::string> states;
  std::string owner;
  int64_t limit = 50;
};

v1::JobState StateOf(const std::string& name) {
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  v1::JobState_Parse(absl::StrCat("JOB_STATE_", absl::AsciiStrToUpper(name)), &state);
  return state;
}

absl::StatusOr<ExitCode> ListJobs(const ListOptions& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  client::ListJobsOptions query;
  for (const std::string& state : options.states) query.states.push_back(StateOf(state));
  query.owner = options.owner;
  query.limit = options.limit;
  absl::StatusOr<std::vector<v1::Job>> jobs = client->ListJobs(query);
  if (!jobs.ok()) return jobs.status();
  if (session.json()) {
    v1::ListJobsResponse all;
    all.mutable_jobs()->Add(jobs->begin(), jobs->end());
    session.out() << ToJson(all);
    return ExitCode::kOk;
  }
  Table table({NameColumn("job"), {"state"}, NameColumn("work"), {"progress", true}, {"owner"}, {"submitted"}});
  for (const v1::Job& job : *jobs) {
    table.AddRow({job.name(), FormatState(job.state()), FormatWork(job), FormatProgress(job.progress()), job.owner(),
                  FormatTime(job.create_time())});
  }
  session.out() << table.Render(session.terminal().out_width);
  return ExitCode::kOk;
}

// What a job made, "" while there is nothing.
std::string ResultOf(const v1::Job& job) {
  if (job.has_trained_midcoders()) return absl::StrJoin(job.trained_midcoders().midcoders(), ", ");
  if (job.has_evaluation()) return absl::StrCat("evaluation of ", job.evaluation().midcoder());
  if (job.has_collected_snapshots()) return absl::StrJoin(job.collected_snapshots().snapshots(), ", ");
  if (job.has_factorization()) return job.factorization().factorization();
  if (job.has_analysis()) {
    return absl::StrJoin(job.analysis().tensors(), ", ", [](std::string* out, const v1::ResultTensor& tensor) {
      absl::StrAppend(out, tensor.info().name(), " ", FormatTensor(tensor.info()));
    });
  }
  return "";
}

void PrintJob(const v1::Job& job, Session* session) {
  Table table({{"job"}, {job.name()}});
  auto add = [&table](const std::string& name, const std::string& value) {
    if (!value.empty()) table.AddRow({name, value});
  };
  add("state", FormatState(job.state()) + (job.cancel_requested() ? ", to be cancelled" : ""));
  add("work", FormatWork(job));
  add("progress", FormatProgress(job.progress()));
  if (job.state() == v1::JOB_STATE_QUEUED) add("jobs before it", FormatCount(job.queue_position()));
  if (job.has_time_left()) add("time left", FormatDuration(job.time_left()));
  for (const char* figure : {"loss", "mse_mid", "mse_out", "tokens_per_second"})
    add(figure, FormatFigure(job.metrics(), figure));
  absl::Status outcome = client::OutcomeOf(job);
  if (job.state() == v1::JOB_STATE_FAILED) {
    add("error", std::string(outcome.message()));
    add("reason", client::ReasonOf(outcome));
  }
  add("result", ResultOf(job));
  add("owner", job.owner());
  add("starts", job.attempt() > 0 ? FormatCount(job.attempt()) : "");
  add("submitted", FormatTime(job.create_time()));
  add("started", FormatTime(job.start_time()));
  add("ended", FormatTime(job.end_time()));
  session->out() << table.Render(session->terminal().out_width);
}

absl::StatusOr<ExitCode> ShowJob(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Job> job = client->GetJob(FullName("jobs", name));
  if (!job.ok()) return job.status();
  if (session.json()) {
    session.out() << ToJson(*job);
  } else {
    PrintJob(*job, &session);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> WatchJob(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<Followed> followed = FollowJob(*client, FullName("jobs", name), &session);
  if (!followed.ok()) return followed.status();
  if (followed->code == ExitCode::kInterrupted) return followed->code;
  if (session.json()) {
    session.out() << ToJson(followed->job);
  } else {
    PrintJob(followed->job, &session);
  }
  return followed->code;
}

absl::StatusOr<ExitCode> CancelJob(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Job> job = client->CancelJob(FullName("jobs", name));
  if (!job.ok()) return job.status();
  std::string done =
      job->state() == v1::JOB_STATE_CANCELLED ? " is cancelled\n" : " will be cancelled at its next step\n";
  session.out() << (session.json() ? ToJson(*job) : job->name() + done);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteJob(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  std::string full_name = FullName("jobs", name);
  if (absl::Status status = client->DeleteJob(full_name); !status.ok()) return status;
  session.out() << (session.json() ? ToJson(v1::DeleteJobResponse()) : full_name + " is deleted; what it made stays\n");
  return ExitCode::kOk;
}

using JobAction = absl::StatusOr<ExitCode> (*)(const std::string& name, Session& session);

// A verb that takes the name of a job and nothing else.
CLI::App* AddJobVerb(CLI::App* app, const std::string& verb_name, const std::string& description, JobAction run,
                     Action* action) {
  CLI::App* verb = app->add_subcommand(verb_name, description);
  auto name = std::make_shared<std::string>();
  verb->add_option("JOB", *name, "Which job: jobs/ab12, or ab12")->required()->type_name("");
  verb->callback([action, name, run] { *action = [name, run](Session& session) { return run(*name, session); }; });
  return verb;
}

}  // namespace

void AddJobs(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("jobs", "List jobs, newest first");
  auto options = std::make_shared<ListOptions>();
  verb->add_option("--state", options->states, "Only jobs in this state; may be given several times")
      ->check(CLI::IsMember({"queued", "running", "succeeded", "failed", "cancelled"}))
      ->allow_extra_args(false)
      ->type_name("STATE");
  verb->add_option("--owner", options->owner, "Only jobs of this user")->type_name("NAME");
  verb->add_option("--limit", options->limit, "At most this many; 0 for all")
      ->type_name("N")
      ->capture_default_str()
      ->check(AtLeast(0));
  verb->footer("Example:\n  superpose jobs --state running --state queued");
  verb->callback([action, options] { *action = [options](Session& session) { return ListJobs(*options, session); }; });
}

void AddJob(CLI::App* app, Action* action) {
  AddJobVerb(app, "job", "Show one job: state, progress, figures, result or error", ShowJob, action)
      ->footer("Example:\n  superpose job jobs/ab12");
}

void AddWatch(CLI::App* app, Action* action) {
  AddJobVerb(app, "watch", "Show a job's progress until it has ended", WatchJob, action)
      ->footer(
          "Ctrl-C stops watching, and the job goes on. A restart of the server does not end the watch.\n"
          "Example:\n  superpose watch jobs/ab12");
}

void AddCancel(CLI::App* app, Action* action) {
  AddJobVerb(app, "cancel", "Cancel a job", CancelJob, action)->footer("Example:\n  superpose cancel jobs/ab12");
}

void AddDelete(CLI::App* app, Action* action) {
  AddJobVerb(app, "delete", "Forget a job that has ended; what it made stays", DeleteJob, action)
      ->footer("Example:\n  superpose delete jobs/ab12");
}

}  // namespace superpose::cli
