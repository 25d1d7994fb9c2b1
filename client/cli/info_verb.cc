#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

absl::StatusOr<ExitCode> RunInfo(Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const v1::GetServerInfoResponse& info = client->info();
  if (session.json()) {
    session.out() << ToJson(info);
    return ExitCode::kOk;
  }
  Table table({{"server"}, {""}});
  table.AddRow({"version", info.version()});
  table.AddRow({"LibTorch", info.torch_version()});
  table.AddRow({"device", info.device()});
  table.AddRow({"threads", FormatCount(info.threads())});
  table.AddRow({"largest unary call", FormatCount(info.max_unary_tokens()) + " tokens"});
  table.AddRow({"largest message", FormatBytes(info.max_message_bytes())});
  table.AddRow({"memory", absl::StrCat(FormatBytes(info.memory_used_bytes()), " of ",
                                       FormatBytes(info.memory_limit_bytes()), " held or promised")});
  table.AddRow({"capabilities", absl::StrJoin(info.capabilities(), ", ")});
  table.AddRow({"started", FormatTime(info.start_time())});
  session.out() << table.Render(session.terminal().out_width);
  return ExitCode::kOk;
}

}  // namespace

void AddInfo(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("info", "What the server is: version, device, limits");
  verb->footer("Example:\n  superpose info --server lab-gpu:7077");
  verb->callback([action] { *action = RunInfo; });
}

}  // namespace superpose::cli
