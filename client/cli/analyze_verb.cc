#include <CLI/Formatter.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/analysis_kinds.h"
#include "client/cli/analysis_output.h"
#include "client/cli/analysis_table.h"
#include "client/cli/arguments.h"
#include "client/cli/feature_selector.h"
#include "client/cli/follow_job.h"
#include "client/cli/format.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Question {
  AnalysisKind kind;
  v1::AnalysisSpec spec;
  int64_t limit = 20;
  std::string output;
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

absl::Status Write(const Question& question, const client::AnalysisAnswer& answer, Session* session) {
  TensorFiles files;
  if (!question.output.empty()) {
    absl::StatusOr<TensorFiles> written = WriteTensors(answer, question.kind.main_tensor, question.output);
    if (!written.ok()) return written.status();
    files = *std::move(written);
  }
  if (session->json()) {
    session->out() << AnswerToJson(answer, files);
    return absl::OkStatus();
  }
  if (files.empty()) session->out() << AnalysisReport(answer, question.limit, session->terminal().out_width);
  for (const v1::ResultTensor& tensor : answer.result.tensors()) {
    const auto file = files.find(tensor.info().name());
    if (file != files.end()) session->out() << file->second << ": " << FormatTensor(tensor.info()) << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunAnalyze(const Question& question, const std::string& snapshot, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::AnalysisSpec spec = question.spec;
  spec.set_snapshot(FullName("snapshots", snapshot));
  const bool one_file = absl::EndsWith(question.output, ".npy");
  if (one_file && question.kind.want_main_tensor != nullptr) question.kind.want_main_tensor(&spec);
  absl::StatusOr<v1::AnalyzeSnapshotResponse> response = client->AnalyzeSnapshot(spec);
  if (!response.ok()) return response.status();
  std::string job;
  if (response->has_job()) {
    job = response->job().name();
    absl::StatusOr<Followed> followed = FollowJob(*client, job, &session);
    if (!followed.ok()) return followed.status();
    if (followed->code != ExitCode::kOk) return followed->code;
    *response->mutable_result() = std::move(*followed->job.mutable_analysis());
  }
  const absl::StatusOr<client::AnalysisAnswer> answer =
      client->ReadAnalysis(std::move(*response->mutable_result()), job);
  if (!answer.ok()) return answer.status();
  if (absl::Status status = Write(question, *answer, &session); !status.ok()) return status;
  return ExitCode::kOk;
}

void AddKind(CLI::App* analyze, const AnalysisKind& kind, const std::shared_ptr<std::string>& snapshot,
             Action* action) {
  CLI::App* verb = analyze->add_subcommand(kind.name, kind.description);
  auto question = std::make_shared<Question>();
  question->kind = kind;
  kind.add(verb, &question->spec);
  verb->add_option("--limit", question->limit, "Rows to print; 0 for all")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb->add_option("-o,--output", question->output,
                   absl::StrCat("Write the tensors as NumPy files to this folder; ", kind.main_tensor,
                                " alone where it ends in .npy"))
      ->type_name("FILE");
  verb->formatter(std::make_shared<CallFormatter>());
  const bool selects = verb->get_option_no_throw("--features") != nullptr;
  verb->footer(absl::StrCat(kind.explanation, selects ? kSelectorForms : "", "Examples:\n", kind.examples));
  verb->callback([action, question, snapshot] {
    if (snapshot->empty()) throw CLI::RequiredError("SNAPSHOT");
    const bool of_nothing = question->spec.has_ranked_units() &&
                            question->spec.ranked_units().of_case() == v1::RankedUnitsAnalysis::OF_NOT_SET;
    if (of_nothing) throw CLI::RequiredError("--feature or --unit");
    *action = [question, snapshot](Session& session) { return RunAnalyze(*question, *snapshot, session); };
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
