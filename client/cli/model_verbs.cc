#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

Table ModelTable(const std::vector<v1::Model>& models) {
  Table table({NameColumn("model"),
               {"kind"},
               {"layers", true},
               {"d_model", true},
               {"d_mlp", true},
               {"context", true},
               {"vocabulary", true},
               {"tokenizer"},
               {"memory", true},
               {"device"}});
  for (const v1::Model& model : models) {
    table.AddRow({model.name(), model.architecture(), FormatCount(model.n_layers()), FormatCount(model.d_model()),
                  FormatCount(model.d_mlp()), FormatCount(model.context_length()), FormatCount(model.vocab_size()),
                  model.has_tokenizer() ? "yes" : "no", FormatBytes(model.memory_bytes()), model.device()});
  }
  return table;
}

Table TranscoderTable(const std::vector<v1::Model>& models) {
  Table table({NameColumn("transcoder"),
               {"layer", true},
               {"features", true},
               {"live", true},
               {"format"},
               {"reads and predicts"},
               {"memory", true}});
  for (const v1::Model& model : models) {
    for (const v1::Transcoder& transcoder : model.transcoders()) {
      table.AddRow({transcoder.name(), FormatCount(transcoder.layer()), FormatCount(transcoder.d_sae()),
                    transcoder.has_live_features() ? FormatCount(transcoder.live_features()) : "", transcoder.format(),
                    transcoder.convention(), FormatBytes(transcoder.memory_bytes())});
    }
  }
  return table;
}

Table TensorTable(const v1::Model& model) {
  Table table({NameColumn("resource"), {"tensor"}, {"elements"}});
  for (const v1::TensorInfo& tensor : model.tensors())
    table.AddRow({model.name(), tensor.name(), FormatTensor(tensor)});
  for (const v1::Transcoder& transcoder : model.transcoders()) {
    for (const v1::TensorInfo& tensor : transcoder.tensors())
      table.AddRow({transcoder.name(), tensor.name(), FormatTensor(tensor)});
  }
  return table;
}

void PrintTables(const std::vector<Table>& tables, Session* session) {
  bool first = true;
  for (const Table& table : tables) {
    if (table.empty()) continue;
    session->out() << (first ? "" : "\n") << table.Render(session->terminal().out_width);
    first = false;
  }
}

absl::StatusOr<ExitCode> ListModels(Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<std::vector<v1::Model>> models = client->ListModels();
  if (!models.ok()) return models.status();
  if (session.json()) {
    v1::ListModelsResponse all;
    all.mutable_models()->Add(models->begin(), models->end());
    session.out() << ToJson(all);
  } else {
    PrintTables({ModelTable(*models), TranscoderTable(*models)}, &session);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowModel(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Model> model = client->GetModel(FullName("models", name));
  if (!model.ok()) return model.status();
  if (session.json()) {
    session.out() << ToJson(*model);
  } else {
    PrintTables({ModelTable({*model}), TranscoderTable({*model}), TensorTable(*model)}, &session);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddModels(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("models", "Models that the server holds, and their transcoders");
  auto name = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "Show only this model, with its tensors")->type_name("");
  verb->footer("Examples:\n  superpose models\n  superpose models demo");
  verb->callback([action, name] {
    if (name->empty()) {
      *action = ListModels;
    } else {
      *action = [name](Session& session) { return ShowModel(*name, session); };
    }
  });
}

}  // namespace superpose::cli
