#include "client/cli/snapshot_actions.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/json_output.h"
#include "client/cli/labels.h"
#include "client/cli/snapshot_table.h"
#include "client/cli/submitted_job.h"
#include "superpose/v1/statistics_service.pb.h"

namespace superpose::cli {
namespace {

struct TakeOptions {
  std::string job;
  Labels labels;
};

absl::StatusOr<ExitCode> TakeSnapshot(const TakeOptions& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  client::TakeSnapshotOptions settings;
  settings.labels = options.labels;
  const bool has_timeout = session.deadline() != absl::InfiniteFuture();
  if (has_timeout) settings.deadline = session.deadline() - absl::Now();
  const absl::StatusOr<std::vector<v1::Snapshot>> snapshots =
      client->TakeSnapshot(FullName("jobs", options.job), settings);
  if (!snapshots.ok()) return snapshots.status();
  if (session.json()) {
    v1::TakeSnapshotResponse all;
    all.mutable_snapshots()->Add(snapshots->begin(), snapshots->end());
    session.out() << ToJson(all);
  } else {
    for (const v1::Snapshot& snapshot : *snapshots) session.out() << snapshot.name() << "\n";
  }
  return ExitCode::kOk;
}

struct MergeOptions {
  std::vector<std::string> snapshots;
  Labels labels;
  SubmitChoice submit;
};

absl::StatusOr<ExitCode> MergeSnapshots(const MergeOptions& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::MergeSpec spec;
  for (const std::string& name : options.snapshots) spec.add_snapshots(FullName("snapshots", name));
  spec.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  const absl::StatusOr<v1::Job> job = client->MergeSnapshots(spec, options.submit.options);
  if (!job.ok()) return job.status();
  return FinishJob(*client, *job, options.submit.detach, &session, [&session](const v1::Job& done) {
    for (const std::string& name : done.collected_snapshots().snapshots()) session.out() << name << "\n";
    return absl::OkStatus();
  });
}

struct CompareOptions {
  std::string snapshot;
  std::string other;
};

absl::StatusOr<ExitCode> CompareSnapshots(const CompareOptions& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::CompareSnapshotsResponse> comparison =
      client->CompareSnapshots(FullName("snapshots", options.snapshot), FullName("snapshots", options.other));
  if (!comparison.ok()) return comparison.status();
  session.out() << (session.json() ? ToJson(*comparison) : ComparisonReport(*comparison, session.terminal().out_width));
  return ExitCode::kOk;
}

}  // namespace

void AddSnapshotTake(CLI::App* snapshots, Action* action) {
  CLI::App* verb = snapshots->add_subcommand("take", "Take a snapshot of a running job that collects statistics");
  auto options = std::make_shared<TakeOptions>();
  verb->add_option("JOB", options->job, "Which job (superpose jobs lists them)")->required()->type_name("");
  AddLabelOption(verb, "the snapshots", &options->labels);
  verb->footer(
      "Waits until it is stored, 10 minutes at most or --timeout, and prints its name; the job goes on. Of a job that\n"
      "has ended: the names of those that it left.\n"
      "Example:\n"
      "  superpose snapshots take jobs/ab12 --label stage=early");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return TakeSnapshot(*options, session); }; });
}

void AddSnapshotMerge(CLI::App* snapshots, Action* action) {
  CLI::App* verb = snapshots->add_subcommand("merge", "Make one snapshot of several over different sequences");
  auto options = std::make_shared<MergeOptions>();
  verb->add_option("NAME", options->snapshots, "Which snapshots, two or more")->required()->expected(-2)->type_name("");
  AddLabelOption(verb, "the snapshots", &options->labels);
  AddSubmitOptions(verb, &options->submit);
  verb->footer(
      "Counts are those of one pass over all of it. superpose snapshots compare tells why two cannot be merged.\n"
      "Examples:\n"
      "  superpose snapshots merge ab12 cd34\n"
      "  superpose snapshots merge ab12 cd34 ef56 --label part=all --detach");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return MergeSnapshots(*options, session); }; });
}

void AddSnapshotCompare(CLI::App* snapshots, Action* action) {
  CLI::App* verb = snapshots->add_subcommand("compare", "Which settings of two snapshots differ");
  auto options = std::make_shared<CompareOptions>();
  verb->add_option("NAME", options->snapshot, "A snapshot")->required()->type_name("");
  verb->add_option("OTHER", options->other, "Another one")->required()->type_name("");
  verb->footer("Example:\n  superpose snapshots compare ab12 cd34");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return CompareSnapshots(*options, session); }; });
}

}  // namespace superpose::cli
