#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/history_table.h"
#include "client/cli/json_output.h"
#include "client/cli/midcoder_files.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"
#include "superpose/v1/midcoder_service.pb.h"

namespace superpose::cli {
namespace {

absl::StatusOr<ExitCode> ListMidcoders(Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<std::vector<v1::Midcoder>> midcoders = client->ListMidcoders();
  if (!midcoders.ok()) return midcoders.status();
  if (session.json()) {
    v1::ListMidcodersResponse all;
    all.mutable_midcoders()->Add(midcoders->begin(), midcoders->end());
    session.out() << ToJson(all);
    return ExitCode::kOk;
  }
  Table table(
      {NameColumn("midcoder"), NameColumn("transcoder"), {"steps", true}, {"loss", true}, {"owner"}, {"stored"}});
  for (const v1::Midcoder& midcoder : *midcoders) {
    table.AddRow({midcoder.name(), midcoder.provenance().transcoder(), FormatCount(midcoder.steps()),
                  FormatFigure(midcoder.final_losses(), "loss"), midcoder.owner(), FormatTime(midcoder.create_time())});
  }
  session.out() << table.Render(session.terminal().out_width);
  return ExitCode::kOk;
}

void PrintMidcoder(const v1::Midcoder& midcoder, Session* session) {
  Table facts({{"midcoder"}, {midcoder.name()}});
  facts.AddRow({"transcoder", midcoder.provenance().transcoder()});
  facts.AddRow({"corpus", midcoder.provenance().corpus()});
  facts.AddRow({"form", midcoder.spec().mid_form() == v1::MID_FORM_D_MODEL ? "d_model" : "d_mlp"});
  facts.AddRow({"gate", midcoder.spec().gate() == v1::MID_GATE_MODEL ? "model" : "relu"});
  facts.AddRow({"steps", FormatCount(midcoder.steps())});
  facts.AddRow({"tokens", FormatCount(midcoder.tokens())});
  for (const char* loss : {"loss", "mse_mid", "mse_out", "mse_out_transcoder"}) {
    facts.AddRow({loss, FormatFigure(midcoder.final_losses(), loss)});
  }
  facts.AddRow(midcoder.imported_from().empty() ? std::vector<std::string>{"made by", midcoder.job()}
                                                : std::vector<std::string>{"imported from", midcoder.imported_from()});
  for (const std::string& snapshot : midcoder.snapshots()) facts.AddRow({"snapshot", snapshot});
  facts.AddRow({"owner", midcoder.owner()});
  facts.AddRow({"stored", FormatTime(midcoder.create_time())});
  facts.AddRow({"content hash", midcoder.content_hash()});
  Table tensors({{"tensor"}, {"elements"}});
  for (const v1::TensorInfo& tensor : midcoder.tensors()) tensors.AddRow({tensor.name(), FormatTensor(tensor)});
  int width = session->terminal().out_width;
  session->out() << facts.Render(width) << "\n" << tensors.Render(width);
}

absl::StatusOr<ExitCode> ShowMidcoder(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Midcoder> midcoder = client->GetMidcoder(FullName("midcoders", name));
  if (!midcoder.ok()) return midcoder.status();
  if (session.json()) {
    session.out() << ToJson(*midcoder);
  } else {
    PrintMidcoder(*midcoder, &session);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteMidcoder(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  std::string full_name = FullName("midcoders", name);
  if (absl::Status status = client->DeleteMidcoder(full_name); !status.ok()) return status;
  session.out() << (session.json() ? ToJson(v1::DeleteMidcoderResponse()) : absl::StrCat(full_name, " is deleted\n"));
  return ExitCode::kOk;
}

struct HistoryOptions {
  std::string name;
  int rows = 20;
  bool all = false;
};

absl::StatusOr<ExitCode> RunHistory(const HistoryOptions& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::TrainingHistory> history = client->GetMidcoderHistory(FullName("midcoders", options.name));
  if (!history.ok()) return history.status();
  if (session.json()) {
    session.out() << ToJson(*history);
  } else {
    session.out() << HistoryTable(*history, options.all ? 0 : options.rows).Render(session.terminal().out_width);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddMidcoders(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("midcoders", "List midcoders; show, export, import or delete one");
  verb->require_subcommand(0, 1);
  verb->footer(
      "Examples:\n  superpose midcoders\n  superpose midcoders show ab12\n"
      "  superpose midcoders export ab12 m.pt\n  superpose midcoders import m.pt --layer 2\n"
      "  superpose midcoders delete ab12");
  verb->callback([verb, action] {
    if (verb->get_subcommands().empty()) *action = ListMidcoders;
  });
  auto name = std::make_shared<std::string>();
  CLI::App* show = verb->add_subcommand("show", "One midcoder: settings, losses, tensors");
  show->add_option("NAME", *name, "Which midcoder")->required()->type_name("");
  show->footer("Example:\n  superpose midcoders show midcoders/ab12");
  show->callback([action, name] { *action = [name](Session& session) { return ShowMidcoder(*name, session); }; });
  CLI::App* remove = verb->add_subcommand("delete", "Delete a midcoder and its files");
  remove->add_option("NAME", *name, "Which midcoder")->required()->type_name("");
  remove->footer("Example:\n  superpose midcoders delete midcoders/ab12");
  remove->callback([action, name] { *action = [name](Session& session) { return DeleteMidcoder(*name, session); }; });
  AddMidcoderImport(verb, action);
  AddMidcoderExport(verb, action);
}

void AddHistory(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("history", "Losses of a midcoder's training, by step");
  auto options = std::make_shared<HistoryOptions>();
  verb->add_option("MIDCODER", options->name, "Which midcoder")->required()->type_name("");
  verb->add_option("--rows", options->rows, "Steps to print, evenly spaced from the first to the last")
      ->type_name("N")
      ->capture_default_str()
      ->check(AtLeast(1));
  verb->add_flag("--all", options->all, "Print every step");
  verb->footer("Example:\n  superpose history midcoders/ab12 --rows 10");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return RunHistory(*options, session); }; });
}

}  // namespace superpose::cli
