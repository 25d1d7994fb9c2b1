#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct TranscoderOptions {
  std::string path, id, log_sparsity_path, input;
  std::string model = "-";
  int layer = 0;
  bool replace = false;
};

absl::StatusOr<ExitCode> LoadModel(const std::string& name, const std::string& path, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::ModelEntry entry;
  entry.set_name(name);
  entry.set_path(path);
  absl::StatusOr<v1::Model> model = client->LoadModel(entry);
  if (!model.ok()) return model.status();
  session.out() << (session.json() ? ToJson(*model)
                                   : absl::StrCat(model->name(), ", ", FormatBytes(model->memory_bytes()), "\n"));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> LoadTranscoder(const TranscoderOptions& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::TranscoderEntry entry;
  entry.set_layer(options.layer);
  entry.set_path(options.path);
  entry.set_id(options.id);
  entry.set_log_sparsity_path(options.log_sparsity_path);
  entry.set_input(options.input);
  absl::StatusOr<v1::Transcoder> transcoder =
      client->LoadTranscoder(FullName("models", options.model), entry, options.replace);
  if (!transcoder.ok()) return transcoder.status();
  session.out() << (session.json()
                        ? ToJson(*transcoder)
                        : absl::StrCat(transcoder->name(), ", ", FormatBytes(transcoder->memory_bytes()), "\n"));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Unload(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::Status unloaded = absl::StrContains(name, "/transcoders/") ? client->UnloadTranscoder(name)
                                                                   : client->UnloadModel(FullName("models", name));
  if (!unloaded.ok()) return unloaded;
  session.out() << (session.json() ? ToJson(v1::UnloadModelResponse()) : absl::StrCat("unloaded ", name, "\n"));
  return ExitCode::kOk;
}

void AddLoadModel(CLI::App* load, Action* action) {
  CLI::App* verb = load->add_subcommand("model", "Load a model from a Hugging Face folder on the server");
  auto name = std::make_shared<std::string>(), path = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "What to call it: lower-case letters, digits, '-', '_' and '.'")->required();
  verb->add_option("PATH", *path, "The folder, on the server's disk")->required();
  verb->footer("Example:\n  superpose load model gpt2-small gpt2");
  verb->callback(
      [action, name, path] { *action = [name, path](Session& session) { return LoadModel(*name, *path, session); }; });
}

void AddLoadTranscoder(CLI::App* load, Action* action) {
  CLI::App* verb = load->add_subcommand("transcoder", "Load a transcoder from a file or folder on the server");
  auto options = std::make_shared<TranscoderOptions>();
  verb->add_option("PATH", options->path, "A Dunefsky .pt file or a SAELens folder, on the server's disk")->required();
  verb->add_option("--layer", options->layer, "The layer whose MLP it replaces, from 0")->required()->type_name("N");
  verb->add_option("--model", options->model, "Of which model [the only one]")->type_name("NAME");
  verb->add_option("--id", options->id, "What to call it [layerN]")->type_name("ID");
  verb->add_option("--log-sparsity", options->log_sparsity_path, "A .pt file of log10 feature frequencies")
      ->type_name("PATH");
  verb->add_option("--input", options->input, "What it reads, where its file does not say")
      ->check(CLI::IsMember({"normalized_before_gain", "normalized_after_gain"}))
      ->type_name("INPUT");
  verb->add_flag("--replace", options->replace, "In the place of one of the same name, which serves until then");
  verb->footer("Example:\n  superpose load transcoder transcoders/layer8.pt --layer 8");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return LoadTranscoder(*options, session); }; });
}

}  // namespace

void AddLoad(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("load", "Load a model or a transcoder while the server runs");
  verb->require_subcommand(1);
  verb->footer(
      "Files are read from the folders that the server's config opens (model_root); a relative path is taken from the\n"
      "only one. What is loaded this way is not loaded again when the server restarts.\n"
      "Examples:\n"
      "  superpose load model gpt2-small gpt2\n"
      "  superpose load transcoder transcoders/layer8.pt --layer 8");
  AddLoadModel(verb, action);
  AddLoadTranscoder(verb, action);
}

void AddUnload(CLI::App* app, Action* action) {
  CLI::App* verb =
      app->add_subcommand("unload", "Free the memory of a model or a transcoder, once calls under way have ended");
  auto name = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "models/.. or models/../transcoders/..")->required();
  verb->footer("Example:\n  superpose unload models/gpt2-small/transcoders/layer8");
  verb->callback([action, name] { *action = [name](Session& session) { return Unload(*name, session); }; });
}

}  // namespace superpose::cli
