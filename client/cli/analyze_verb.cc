#include <CLI/Formatter.hpp>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/analysis_kinds.h"
#include "client/cli/analysis_run.h"
#include "client/cli/arguments.h"
#include "client/cli/feature_selector.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Question {
  AnalysisKind kind;
  v1::AnalysisSpec spec;
  AnalysisView view;
};

// The help says how a verb is called: CLI11 would put a question before the snapshot, or leave that out.
class CallFormatter : public CLI::Formatter {
 public:
  CallFormatter() { column_width(34); }
  std::string make_usage(const CLI::App* app, std::string /*name*/) const override {
    const bool is_question = app->get_parent() != nullptr && app->get_parent()->get_name() == "analyze";
    return absl::StrCat("Usage: superpose analyze SNAPSHOT ", is_question ? app->get_name() : "QUESTION",
                        " [OPTIONS]\n");
  }
};

absl::StatusOr<ExitCode> RunAnalyze(const Question& question, const std::string& snapshot, Session* session) {
  v1::AnalysisSpec spec = question.spec;
  spec.set_snapshot(FullName("snapshots", snapshot));
  const bool wants_main = WantsMainTensor(question.view) && question.kind.want_main_tensor != nullptr;
  if (wants_main) question.kind.want_main_tensor(&spec);
  return RunAnalysis(spec, question.view, session);
}

void AddKind(CLI::App* analyze, const AnalysisKind& kind, const std::shared_ptr<std::string>& snapshot,
             Action* action) {
  CLI::App* verb = analyze->add_subcommand(kind.name, kind.description);
  auto question = std::make_shared<Question>();
  question->kind = kind;
  kind.add(verb, &question->spec);
  question->view.main_tensor = kind.main_tensor;
  AddViewOptions(verb, kind.main_tensor, &question->view);
  verb->formatter(std::make_shared<CallFormatter>());
  const bool selects = verb->get_option_no_throw("--features") != nullptr;
  verb->footer(absl::StrCat(kind.explanation, selects ? kSelectorForms : "", "Examples:\n", kind.examples));
  verb->callback([action, question, snapshot] {
    if (snapshot->empty()) throw CLI::RequiredError("SNAPSHOT");
    const bool of_nothing = question->spec.has_ranked_units() &&
                            question->spec.ranked_units().of_case() == v1::RankedUnitsAnalysis::OF_NOT_SET;
    if (of_nothing) throw CLI::RequiredError("--feature or --unit");
    *action = [question, snapshot](Session& session) { return RunAnalyze(*question, *snapshot, &session); };
  });
}

}  // namespace

void AddAnalyze(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("analyze", "Ask a snapshot of statistics a question");
  auto snapshot = std::make_shared<std::string>();
  // Not required(): then CLI11 would take the name of a question for a snapshot's, and its help could not be had.
  verb->add_option("SNAPSHOT", *snapshot, "Which snapshot (superpose snapshots lists them)")->type_name("");
  verb->require_subcommand(1);
  verb->formatter(std::make_shared<CallFormatter>());
  for (const AnalysisKind& kind : AnalysisKinds()) AddKind(verb, kind, snapshot, action);
  verb->footer(
      "The server computes; what takes it long becomes a job, which is waited for.\n"
      "superpose analyze QUESTION --help explains a question.\n"
      "Examples:\n"
      "  superpose analyze ab12 frequencies --features band:-3,-2.5\n"
      "  superpose analyze ab12 coactive --feature 17 -k 10\n"
      "  superpose analyze ab12 predicted-decoders --features live --json");
}

}  // namespace superpose::cli
