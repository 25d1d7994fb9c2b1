#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/factorization_files.h"
#include "client/cli/factorization_table.h"
#include "client/cli/json_output.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

absl::StatusOr<ExitCode> ListFactorizations(Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<std::vector<v1::Factorization>> factorizations = client->ListFactorizations();
  if (!factorizations.ok()) return factorizations.status();
  if (session.json()) {
    v1::ListFactorizationsResponse all;
    all.mutable_factorizations()->Add(factorizations->begin(), factorizations->end());
    session.out() << ToJson(all);
  } else {
    session.out() << FactorizationTable(*factorizations).Render(session.terminal().out_width);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowFactorization(const std::string& name, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::Factorization> found = client->GetFactorization(FullName("factorizations", name));
  if (!found.ok()) return found.status();
  session.out() << (session.json() ? ToJson(*found) : FactorizationReport(*found, session.terminal().out_width));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteFactorization(const std::string& name, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const std::string full_name = FullName("factorizations", name);
  if (absl::Status status = client->DeleteFactorization(full_name); !status.ok()) return status;
  session.out() << (session.json() ? ToJson(v1::DeleteFactorizationResponse())
                                   : absl::StrCat(full_name, " is deleted\n"));
  return ExitCode::kOk;
}

}  // namespace

void AddFactorizations(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("factorizations", "List factorizations; show, export, import or delete one");
  verb->require_subcommand(0, 1);
  verb->footer(
      "superpose factorize makes them, superpose explain asks them, and superpose tensor reads their tensors.\n"
      "Examples:\n"
      "  superpose factorizations\n"
      "  superpose factorizations show ab12\n"
      "  superpose factorizations export ab12 factors.pt\n"
      "  superpose tensor factorizations/ab12 factors");
  verb->callback([verb, action] {
    if (verb->get_subcommands().empty()) *action = ListFactorizations;
  });
  auto name = std::make_shared<std::string>();
  CLI::App* show = verb->add_subcommand("show", "One factorization: settings, quality, tensors");
  show->add_option("NAME", *name, "Which factorization")->required()->type_name("");
  show->footer("Example:\n  superpose factorizations show factorizations/ab12");
  show->callback([action, name] { *action = [name](Session& session) { return ShowFactorization(*name, session); }; });
  CLI::App* remove = verb->add_subcommand("delete", "Delete a factorization and its file");
  remove->add_option("NAME", *name, "Which factorization")->required()->type_name("");
  remove->footer("Example:\n  superpose factorizations delete factorizations/ab12");
  remove->callback(
      [action, name] { *action = [name](Session& session) { return DeleteFactorization(*name, session); }; });
  AddFactorizationImport(verb, action);
  AddFactorizationExport(verb, action);
}

}  // namespace superpose::cli
