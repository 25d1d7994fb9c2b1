#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/json_output.h"
#include "client/cli/snapshot_actions.h"
#include "client/cli/snapshot_table.h"
#include "client/cli/verbs.h"
#include "superpose/v1/statistics_service.pb.h"

namespace superpose::cli {
namespace {

struct ListOptions {
  std::string midcoder;
  std::string job;
};

absl::StatusOr<ExitCode> ListSnapshots(const ListOptions& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  client::ListSnapshotsOptions query;
  if (!options.midcoder.empty()) query.midcoder = FullName("midcoders", options.midcoder);
  if (!options.job.empty()) query.job = FullName("jobs", options.job);
  const absl::StatusOr<std::vector<v1::Snapshot>> snapshots = client->ListSnapshots(query);
  if (!snapshots.ok()) return snapshots.status();
  if (session.json()) {
    v1::ListSnapshotsResponse all;
    all.mutable_snapshots()->Add(snapshots->begin(), snapshots->end());
    session.out() << ToJson(all);
  } else {
    session.out() << SnapshotTable(*snapshots).Render(session.terminal().out_width);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowSnapshot(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::Snapshot> snapshot = client->GetSnapshot(FullName("snapshots", name));
  if (!snapshot.ok()) return snapshot.status();
  session.out() << (session.json() ? ToJson(*snapshot) : SnapshotReport(*snapshot, session.terminal().out_width));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteSnapshot(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const std::string full_name = FullName("snapshots", name);
  if (absl::Status status = client->DeleteSnapshot(full_name); !status.ok()) return status;
  session.out() << (session.json() ? ToJson(v1::DeleteSnapshotResponse()) : absl::StrCat(full_name, " is deleted\n"));
  return ExitCode::kOk;
}

}  // namespace

void AddSnapshots(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("snapshots", "List snapshots of statistics; show, take, merge, .. one");
  verb->require_subcommand(0, 1);
  auto options = std::make_shared<ListOptions>();
  CLI::Option* midcoder =
      verb->add_option("--midcoder", options->midcoder, "Only those of this midcoder")->type_name("NAME");
  verb->add_option("--job", options->job, "Only those of this job")->type_name("JOB")->excludes(midcoder);
  verb->footer(
      "superpose collect makes them, superpose analyze asks them, and superpose tensor reads their tensors.\n"
      "Examples:\n"
      "  superpose snapshots --midcoder ab12\n"
      "  superpose snapshots show cd34\n"
      "  superpose snapshots take jobs/ef56 --label stage=early\n"
      "  superpose tensor snapshots/cd34 act_counts");
  verb->callback([verb, action, options] {
    if (!verb->get_subcommands().empty()) return;
    *action = [options](Session& session) { return ListSnapshots(*options, session); };
  });
  auto name = std::make_shared<std::string>();
  CLI::App* show = verb->add_subcommand("show", "One snapshot: what it counted, and its tensors");
  show->add_option("NAME", *name, "Which snapshot")->required()->type_name("");
  show->footer("Example:\n  superpose snapshots show snapshots/cd34");
  show->callback([action, name] { *action = [name](Session& session) { return ShowSnapshot(*name, session); }; });
  AddSnapshotTake(verb, action);
  AddSnapshotMerge(verb, action);
  AddSnapshotCompare(verb, action);
  CLI::App* remove = verb->add_subcommand("delete", "Delete a snapshot and its file");
  remove->add_option("NAME", *name, "Which snapshot")->required()->type_name("");
  remove->footer("Example:\n  superpose snapshots delete snapshots/cd34");
  remove->callback([action, name] { *action = [name](Session& session) { return DeleteSnapshot(*name, session); }; });
}

}  // namespace superpose::cli
