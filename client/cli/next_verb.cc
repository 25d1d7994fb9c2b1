#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/json_output.h"
#include "client/cli/prompt_options.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  PromptOptions prompt;
  int top_k = 10;
  std::string ids;
  bool all = false;
};

Table PredictionTable(const v1::PredictNextTokensResponse& response) {
  Table table({{"sequence", true},
               {"position", true},
               {"next id", true},
               {"next token"},
               {"probability", true},
               {"log-probability", true}});
  for (const v1::NextTokens& prediction : response.predictions()) {
    for (int i = 0; i < prediction.token_ids_size(); ++i) {
      const float log_probability = prediction.log_probabilities(i);
      const std::string text = prediction.tokens().empty() ? "" : absl::StrCat("'", prediction.tokens(i), "'");
      table.AddRow({absl::StrCat(prediction.sequence()), absl::StrCat(prediction.position()),
                    absl::StrCat(prediction.token_ids(i)), text, absl::StrFormat("%.4f", std::exp(log_probability)),
                    absl::StrFormat("%.4f", log_probability)});
    }
  }
  return table;
}

absl::StatusOr<ExitCode> RunNext(const Options& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::PredictNextTokensRequest request;
  *request.mutable_prompt() = PromptOf(options.prompt);
  request.set_top_k(options.top_k);
  request.set_all_positions(options.all);
  if (!options.ids.empty()) {
    const std::vector<int32_t> ids = *ParseIds(options.ids);
    request.mutable_token_ids()->Add(ids.begin(), ids.end());
  }
  const absl::StatusOr<v1::PredictNextTokensResponse> response = client->PredictNextTokens(request);
  if (!response.ok()) return response.status();
  if (session.json()) {
    session.out() << ToJson(*response);
  } else {
    session.out() << PredictionTable(*response).Render(session.terminal().out_width);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddNext(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("next", "Tokens that the model takes to come next");
  auto options = std::make_shared<Options>();
  AddPromptOptions(verb, &options->prompt);
  verb->add_option("--top-k", options->top_k, "How many of the most likely tokens")
      ->type_name("K")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  verb->add_option("--ids", options->ids, "Tokens to report besides, whatever their probability, 5,17,40")
      ->type_name("IDS")
      ->check([](const std::string& text) { return std::string(ParseIds(text).status().message()); });
  verb->add_flag("--all", options->all, "After every position, not only after the last of each sequence");
  verb->footer(
      "Examples:\n"
      "  superpose next \"The cat sat on the\"\n"
      "  superpose next --tokens 0,12,7,99 --top-k 3 --all --json\n"
      "A text that begins with '-' goes after --.");
  verb->callback([action, options] {
    RequirePrompt(options->prompt);
    *action = [options](Session& session) { return RunNext(*options, session); };
  });
}

}  // namespace superpose::cli
