#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/arguments.h"
#include "client/cli/feature_setting.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/prompt_options.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  PromptOptions prompt;
  std::vector<std::string> settings;
  std::string mode = "delta";
  int top_k = 10;
};

Table PositionTable(const v1::InterveneResponse& response) {
  Table table({{"sequence", true},
               {"position", true},
               {"id", true},
               {"KL of the next token", true},
               {"log-probability of the one that follows", true}});
  int row = 0;
  for (int sequence = 0; sequence < response.tokens().lengths_size(); ++sequence) {
    for (int position = 0; position < response.tokens().lengths(sequence); ++position, ++row) {
      const bool last = position + 1 == response.tokens().lengths(sequence);
      table.AddRow({absl::StrCat(sequence), absl::StrCat(position), absl::StrCat(response.tokens().token_ids(row)),
                    FormatNumber(response.kl(row)),
                    last ? "" : absl::StrFormat("%+.4f", response.log_probability_change(row))});
    }
  }
  return table;
}

Table EffectTable(const v1::InterveneResponse& response) {
  Table table(
      {{"sequence", true}, {"next id", true}, {"next token"}, {"before", true}, {"after", true}, {"change", true}});
  for (const v1::InterventionEffect& effect : response.effects()) {
    for (int i = 0; i < effect.token_ids_size(); ++i) {
      const std::string text = effect.tokens().empty() ? "" : absl::StrCat("'", effect.tokens(i), "'");
      table.AddRow({absl::StrCat(effect.sequence()), absl::StrCat(effect.token_ids(i)), text,
                    absl::StrFormat("%.4f", effect.before(i)), absl::StrFormat("%.4f", effect.after(i)),
                    absl::StrFormat("%+.4f", effect.after(i) - effect.before(i))});
    }
  }
  return table;
}

absl::Status CheckShape(const v1::InterveneResponse& response) {
  int64_t tokens = 0;
  for (const int32_t length : response.tokens().lengths()) tokens += length;
  const bool sound = response.tokens().token_ids_size() == tokens && response.kl_size() == tokens &&
                     response.log_probability_change_size() == tokens;
  return sound ? absl::OkStatus() : absl::DataLossError("the server's answer has not one figure a token");
}

void Print(const v1::InterveneResponse& response, Session* session) {
  const int width = session->terminal().out_width;
  session->out() << PositionTable(response).Render(width) << "\nlog-probabilities after each sequence's last token\n"
                 << EffectTable(response).Render(width);
}

absl::StatusOr<ExitCode> RunIntervene(const Options& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::InterveneRequest request;
  *request.mutable_prompt() = PromptOf(options.prompt);
  // The command line was checked.
  for (const std::string& text : options.settings)
    *request.add_settings() = *ParseSetting(text, request.prompt().model());
  request.set_mode(options.mode == "replace" ? v1::INTERVENTION_MODE_REPLACE : v1::INTERVENTION_MODE_DELTA);
  request.set_top_k(options.top_k);
  const absl::StatusOr<v1::InterveneResponse> response = client->Intervene(request);
  if (!response.ok()) return response.status();
  if (absl::Status status = CheckShape(*response); !status.ok()) return status;
  if (session.json()) {
    session.out() << ToJson(*response);
  } else {
    Print(*response, &session);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddIntervene(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("intervene", "What setting features does to the predictions");
  auto options = std::make_shared<Options>();
  AddPromptOptions(verb, &options->prompt);
  verb->add_option("--set", options->settings,
                   "LAYER:FEATURE=VALUE at every position but BOS, or LAYER:FEATURE=VALUE@POSITION,..; may be given "
                   "several times")
      ->type_name("SETTING")
      ->required()
      ->allow_extra_args(false)
      ->check([](const std::string& text) { return std::string(ParseSetting(text, "models/-").status().message()); });
  verb->add_option("--mode", options->mode,
                   "delta: add (value - activation) W_dec to the MLP's output; replace: put the transcoder's output in "
                   "its place")
      ->type_name("MODE")
      ->capture_default_str()
      ->check(CLI::IsMember({"delta", "replace"}));
  verb->add_option("--top-k", options->top_k, "How many of the most likely tokens, before and after")
      ->type_name("K")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  verb->footer(
      "Examples:\n"
      "  superpose intervene \"The cat sat on the\" --set 2:17=5.0\n"
      "  superpose intervene \"The cat sat on the\" --set 2:17=0 --set 3:40=1.5@3,4 --mode replace --json\n"
      "A text that begins with '-' goes after --.");
  verb->callback([action, options] {
    RequirePrompt(options->prompt);
    *action = [options](Session& session) { return RunIntervene(*options, session); };
  });
}

}  // namespace superpose::cli
