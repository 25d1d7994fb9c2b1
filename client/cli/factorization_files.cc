#include "client/cli/factorization_files.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/labels.h"
#include "client/cli/line_progress.h"

namespace superpose::cli {
namespace {

struct ImportOptions {
  std::string path;
  Labels labels;
};

struct ExportOptions {
  std::string name, path;
};

absl::StatusOr<ExitCode> ImportFactorization(const ImportOptions& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  LineProgress progress(&session.terminal());
  const absl::StatusOr<v1::Factorization> factorization = client->ImportFactorization(
      options.path, options.labels,
      [&](int64_t done, int64_t total) { progress.Show(options.path, done, total, FormatBytes(done)); });
  if (!factorization.ok()) return factorization.status();
  session.out() << (session.json() ? ToJson(*factorization) : factorization->name() + "\n");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ExportFactorization(const ExportOptions& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  LineProgress progress(&session.terminal());
  int64_t size = 0;
  const auto show = [&](int64_t done, int64_t total) {
    size = total;
    progress.Show(options.path, done, total, FormatBytes(done));
  };
  const std::string name = FullName("factorizations", options.name);
  if (absl::Status status = client->ExportFactorization(name, options.path, show); !status.ok()) return status;
  if (session.json()) {
    const nlohmann::ordered_json report = {{"file", options.path}, {"factorization", name}, {"size_bytes", size}};
    session.out() << report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
  } else {
    session.out() << options.path << ": " << FormatBytes(size) << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace

void AddFactorizationImport(CLI::App* factorizations, Action* action) {
  CLI::App* verb = factorizations->add_subcommand("import", "Send a factorization's file to the server");
  auto options = std::make_shared<ImportOptions>();
  verb->add_option("FILE", options->path, "A .pt file of the reference's code, or what export wrote")
      ->required()
      ->type_name("");
  AddLabelOption(verb, "the factorization", &options->labels);
  verb->footer(
      "Prints the factorization's name. A .pt file does not say what its factors are worth: superpose factorize with\n"
      "--start and --epochs 0 measures that.\n"
      "Examples:\n"
      "  superpose factorizations import factors.pt\n"
      "  superpose factorize 2 --start ab12 --epochs 0 --form gram");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return ImportFactorization(*options, session); }; });
}

void AddFactorizationExport(CLI::App* factorizations, Action* action) {
  CLI::App* verb = factorizations->add_subcommand("export", "Write a factorization to a file here");
  auto options = std::make_shared<ExportOptions>();
  verb->add_option("NAME", options->name, "Which factorization")->required()->type_name("");
  verb->add_option("FILE", options->path,
                   "Ends in .safetensors, our own form with its whole description, or in .pt, the reference's")
      ->required()
      ->type_name("");
  verb->footer(
      "A file that is there already is replaced. torch.load opens the .pt, with weights_only=True as well.\n"
      "Examples:\n"
      "  superpose factorizations export factorizations/ab12 factors.safetensors\n"
      "  superpose factorizations export ab12 factors.pt");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return ExportFactorization(*options, session); }; });
}

}  // namespace superpose::cli
