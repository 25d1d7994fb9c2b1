#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"
#include "superpose/v1/statistics_service.pb.h"

namespace superpose::cli {
namespace {

absl::StatusOr<ExitCode> ListSnapshots(const std::string& midcoder, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<std::vector<v1::Snapshot>> snapshots =
      client->ListSnapshots(midcoder.empty() ? "" : FullName("midcoders", midcoder));
  if (!snapshots.ok()) return snapshots.status();
  if (session.json()) {
    v1::ListSnapshotsResponse all;
    all.mutable_snapshots()->Add(snapshots->begin(), snapshots->end());
    session.out() << ToJson(all);
    return ExitCode::kOk;
  }
  Table table({NameColumn("snapshot"),
               NameColumn("midcoder"),
               {"layer", true},
               {"tokens", true},
               {"tensors", true},
               {"owner"},
               {"stored"}});
  for (const v1::Snapshot& snapshot : *snapshots) {
    table.AddRow({snapshot.name(), snapshot.midcoder(), FormatCount(snapshot.layer()), FormatCount(snapshot.tokens()),
                  FormatCount(snapshot.tensors_size()), snapshot.owner(), FormatTime(snapshot.create_time())});
  }
  session.out() << table.Render(session.terminal().out_width);
  return ExitCode::kOk;
}

void PrintSnapshot(const v1::Snapshot& snapshot, Session* session) {
  Table facts({{"snapshot"}, {snapshot.name()}});
  if (!snapshot.midcoder().empty()) facts.AddRow({"midcoder", snapshot.midcoder()});
  facts.AddRow({"transcoder", snapshot.provenance().transcoder()});
  facts.AddRow({"layer", FormatCount(snapshot.layer())});
  facts.AddRow({"tokens", FormatCount(snapshot.tokens()) + (snapshot.includes_bos() ? ", BOS among them" : "")});
  facts.AddRow({"features", snapshot.has_feature_ids() ? "those in feat_ids" : "all"});
  if (!snapshot.imported_from().empty()) facts.AddRow({"imported from", snapshot.imported_from()});
  facts.AddRow({"owner", snapshot.owner()});
  facts.AddRow({"stored", FormatTime(snapshot.create_time())});
  facts.AddRow({"content hash", snapshot.content_hash()});
  Table tensors({{"tensor"}, {"elements"}});
  for (const v1::TensorInfo& tensor : snapshot.tensors()) tensors.AddRow({tensor.name(), FormatTensor(tensor)});
  const int width = session->terminal().out_width;
  session->out() << facts.Render(width) << "\n" << tensors.Render(width);
}

absl::StatusOr<ExitCode> ShowSnapshot(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::Snapshot> snapshot = client->GetSnapshot(FullName("snapshots", name));
  if (!snapshot.ok()) return snapshot.status();
  if (session.json()) {
    session.out() << ToJson(*snapshot);
  } else {
    PrintSnapshot(*snapshot, &session);
  }
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
  CLI::App* verb = app->add_subcommand("snapshots", "List snapshots of statistics; show or delete one");
  verb->require_subcommand(0, 1);
  auto midcoder = std::make_shared<std::string>();
  verb->add_option("--midcoder", *midcoder, "Only those of this midcoder")->type_name("NAME");
  verb->footer(
      "superpose tensor reads a snapshot's tensors.\n"
      "Examples:\n"
      "  superpose snapshots --midcoder ab12\n"
      "  superpose snapshots show cd34\n"
      "  superpose tensor snapshots/cd34 act_counts");
  verb->callback([verb, action, midcoder] {
    if (!verb->get_subcommands().empty()) return;
    *action = [midcoder](Session& session) { return ListSnapshots(*midcoder, session); };
  });
  auto name = std::make_shared<std::string>();
  CLI::App* show = verb->add_subcommand("show", "One snapshot: what it counted, and its tensors");
  show->add_option("NAME", *name, "Which snapshot")->required()->type_name("");
  show->footer("Example:\n  superpose snapshots show snapshots/cd34");
  show->callback([action, name] { *action = [name](Session& session) { return ShowSnapshot(*name, session); }; });
  CLI::App* remove = verb->add_subcommand("delete", "Delete a snapshot and its file");
  remove->add_option("NAME", *name, "Which snapshot")->required()->type_name("");
  remove->footer("Example:\n  superpose snapshots delete snapshots/cd34");
  remove->callback([action, name] { *action = [name](Session& session) { return DeleteSnapshot(*name, session); }; });
}

}  // namespace superpose::cli
