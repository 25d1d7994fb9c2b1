#include "client/cli/midcoder_files.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/line_progress.h"

namespace superpose::cli {
namespace {

struct ImportOptions {
  std::string path, transcoder;
  std::string model = "-";
  std::optional<int> layer;
};

struct ExportOptions {
  std::string name, path, snapshot;
};

// "" where neither is said: then the file must say it.
std::string TranscoderOf(const ImportOptions& options) {
  if (options.layer) return absl::StrCat(FullName("models", options.model), "/layers/", *options.layer);
  return options.transcoder;
}

absl::StatusOr<ExitCode> ImportMidcoder(const ImportOptions& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  LineProgress progress(&session.terminal());
  const absl::StatusOr<v1::Midcoder> midcoder = client->ImportMidcoder(
      options.path, TranscoderOf(options),
      [&](int64_t done, int64_t total) { progress.Show(options.path, done, total, FormatBytes(done)); });
  if (!midcoder.ok()) return midcoder.status();
  if (session.json()) {
    session.out() << ToJson(*midcoder);
    return ExitCode::kOk;
  }
  session.out() << midcoder->name() << "\n";
  for (const std::string& snapshot : midcoder->snapshots()) session.out() << snapshot << "\n";
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ExportMidcoder(const ExportOptions& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  LineProgress progress(&session.terminal());
  int64_t size = 0;
  client::ExportOptions settings;
  if (!options.snapshot.empty()) settings.snapshot = FullName("snapshots", options.snapshot);
  settings.on_progress = [&](int64_t done, int64_t total) {
    size = total;
    progress.Show(options.path, done, total, FormatBytes(done));
  };
  const std::string name = FullName("midcoders", options.name);
  if (absl::Status status = client->ExportMidcoder(name, options.path, settings); !status.ok()) return status;
  if (session.json()) {
    const nlohmann::ordered_json report = {{"file", options.path}, {"midcoder", name}, {"size_bytes", size}};
    session.out() << report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
  } else {
    session.out() << options.path << ": " << FormatBytes(size) << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace

void AddMidcoderImport(CLI::App* midcoders, Action* action) {
  CLI::App* verb = midcoders->add_subcommand("import", "Send a midcoder's file to the server");
  auto options = std::make_shared<ImportOptions>();
  verb->add_option("FILE", options->path, "A .pt file of the reference's code, or what export wrote")
      ->required()
      ->type_name("");
  CLI::Option* layer = verb->add_option("--layer", options->layer,
                                        "Layer of the transcoder that it was trained on: a .pt file does not say")
                           ->type_name("N");
  verb->add_option("--transcoder", options->transcoder, "Instead: that transcoder's name, models/../transcoders/..")
      ->type_name("NAME")
      ->excludes(layer);
  verb->add_option("--model", options->model, "Model that --layer is in [the only one]")->type_name("NAME");
  verb->footer(
      "Prints the midcoder's name; statistics in the file become a snapshot, whose name is printed too.\n"
      "Examples:\n"
      "  superpose midcoders import m.pt --layer 2\n"
      "  superpose midcoders import m.safetensors");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return ImportMidcoder(*options, session); }; });
}

void AddMidcoderExport(CLI::App* midcoders, Action* action) {
  CLI::App* verb = midcoders->add_subcommand("export", "Write a midcoder to a file here");
  auto options = std::make_shared<ExportOptions>();
  verb->add_option("NAME", options->name, "Which midcoder")->required()->type_name("");
  verb->add_option("FILE", options->path,
                   "Ends in .safetensors, our own form with its whole description, or in .pt, the reference's")
      ->required()
      ->type_name("");
  verb->add_option("--snapshot", options->snapshot, "Put the statistics of this snapshot of it in, too; .pt only")
      ->type_name("NAME");
  verb->footer(
      "A file that is there already is replaced. torch.load opens the .pt, with weights_only=True as well.\n"
      "Examples:\n"
      "  superpose midcoders export midcoders/ab12 m.safetensors\n"
      "  superpose midcoders export ab12 m.pt --snapshot cd34");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return ExportMidcoder(*options, session); }; });
}

}  // namespace superpose::cli
