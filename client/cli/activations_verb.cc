#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/table.h"
#include "client/cli/transcoder_choice.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  TranscoderChoice choice;
  client::ActivationsQuery query;
  std::vector<std::string> tokens;
  std::string features;
  bool no_bos = false;
  int show = 8;
};

// "id:value" of the strongest features of a row, strongest first.
std::string Strongest(const client::SparseRow& row, int count) {
  std::vector<size_t> order(row.values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&row](size_t a, size_t b) { return row.values[a] > row.values[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(count)));
  return absl::StrJoin(order, "  ", [&row](std::string* out, size_t i) {
    absl::StrAppend(out, row.feature_ids[i], ":", absl::StrFormat("%.3g", row.values[i]));
  });
}

Table LayerTable(const client::Activations& activations, const client::LayerActivations& layer, int show) {
  Table table({{"sequence", true},
               {"position", true},
               {"id", true},
               {"token"},
               {"active", true},
               {"strongest features (id:value)"}});
  int64_t row = 0;
  for (size_t sequence = 0; sequence < activations.lengths.size(); ++sequence) {
    for (int32_t position = 0; position < activations.lengths[sequence]; ++position, ++row) {
      client::SparseRow features = layer.activations.Row(row);
      std::string text = activations.token_texts.empty() ? "" : absl::StrCat("'", activations.token_texts[row], "'");
      table.AddRow({absl::StrCat(sequence), absl::StrCat(position), absl::StrCat(activations.token_ids[row]), text,
                    FormatCount(static_cast<int64_t>(features.values.size())), Strongest(features, show)});
    }
  }
  return table;
}

void Print(const client::Activations& activations, int show, Session* session) {
  bool first = true;
  for (const client::LayerActivations& layer : activations.layers) {
    session->out() << (first ? "" : "\n") << layer.transcoder << ", " << FormatCount(layer.activations.d_sae)
                   << " features\n"
                   << LayerTable(activations, layer, show).Render(session->terminal().out_width);
    first = false;
  }
}

absl::StatusOr<ExitCode> RunActivations(const Options& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  client::ActivationsQuery query = options.query;
  absl::StatusOr<std::vector<std::string>> transcoders = ResolveTranscoders(*client, options.choice);
  if (!transcoders.ok()) return transcoders.status();
  query.transcoders = *transcoders;
  query.prepend_bos = !options.no_bos;
  // The command line was checked: these are numbers.
  for (const std::string& sequence : options.tokens) query.sequences.push_back(*ParseIds(sequence));
  if (!options.features.empty()) query.feature_ids = *ParseIds(options.features);
  absl::StatusOr<client::Activations> activations = client->GetActivations(query);
  if (!activations.ok()) return activations.status();
  if (session.json()) {
    session.out() << ActivationsToJson(*activations);
  } else {
    Print(*activations, options.show, &session);
  }
  return ExitCode::kOk;
}

std::string CheckIds(const std::string& text) { return std::string(ParseIds(text).status().message()); }

}  // namespace

void AddActivations(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("activations", "Features that are active in a text or in token sequences");
  auto options = std::make_shared<Options>();
  CLI::Option* texts = verb->add_option("TEXT", options->query.texts, "Texts, each a sequence")->type_name("");
  CLI::Option* tokens =
      verb->add_option("--tokens", options->tokens,
                       "Token ids of a sequence, 12,7,99, used as they are; may be given several times")
          ->type_name("IDS")
          ->allow_extra_args(false)
          ->check(CheckIds);
  tokens->excludes(texts);
  AddTranscoderOptions(verb, &options->choice);
  verb->add_option("--top-k", options->query.top_k, "Keep only the K largest of every position")
      ->type_name("K")
      ->check(AtLeast(1));
  verb->add_option("--features", options->features, "Keep only these features, 5,17,40")
      ->type_name("IDS")
      ->check(CheckIds);
  verb->add_flag("--no-bos", options->no_bos, "Put no BOS before texts");
  verb->add_option("--show", options->show, "Features to print of each token")
      ->type_name("N")
      ->capture_default_str()
      ->check(AtLeast(1));
  verb->footer(
      "Examples:\n"
      "  superpose activations \"The cat sat\" --layer 2\n"
      "  superpose activations --tokens 0,12,7,99 --layer 2 --json\n"
      "A text that begins with '-' goes after --.");
  verb->callback([action, options, texts, tokens] {
    if (texts->count() + tokens->count() == 0) throw CLI::RequiredError("a TEXT or --tokens");
    *action = [options](Session& session) { return RunActivations(*options, session); };
  });
}

}  // namespace superpose::cli
