#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/arguments.h"
#include "client/cli/enum_option.h"
#include "client/cli/feature_selector.h"
#include "client/cli/json_output.h"
#include "client/cli/labels.h"
#include "client/cli/memory_table.h"
#include "client/cli/snapshot_table.h"
#include "client/cli/statistics_choice.h"
#include "client/cli/submitted_job.h"
#include "client/cli/transcoder_choice.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  TranscoderChoice choice;
  std::vector<std::string> midcoders;
  std::string corpus;
  std::optional<int64_t> tokens, batch_size, context_length, first_sequence;
  v1::CorpusSplit split = v1::CORPUS_SPLIT_UNSPECIFIED;
  v1::GateSource gate = v1::GATE_SOURCE_UNSPECIFIED;
  StatisticsChoice statistics;
  Labels labels;
  SubmitChoice submit;
  bool estimate = false;
};

// What does not depend on what the server holds.
v1::StatisticsSpec SpecOf(const Options& options) {
  v1::StatisticsSpec spec;
  if (!options.corpus.empty()) spec.set_corpus(FullName("corpora", options.corpus));
  if (options.tokens) spec.set_tokens(*options.tokens);
  if (options.batch_size) spec.set_batch_size(*options.batch_size);
  if (options.context_length) spec.set_context_length(*options.context_length);
  if (options.first_sequence) spec.set_first_sequence(*options.first_sequence);
  spec.set_split(options.split);
  spec.set_gate(options.gate);
  *spec.mutable_options() = StatisticsOptionsOf(options.statistics);
  spec.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  return spec;
}

// The midcoders say on which transcoders, and on which corpus, where nothing else does.
absl::StatusOr<v1::StatisticsSpec> Resolve(const Client& client, const Options& options) {
  v1::StatisticsSpec spec = SpecOf(options);
  const bool chosen = !options.choice.layers.empty() || !options.choice.transcoders.empty();
  for (const std::string& name : options.midcoders) {
    absl::StatusOr<v1::Midcoder> midcoder = client.GetMidcoder(FullName("midcoders", name));
    if (!midcoder.ok()) return midcoder.status();
    spec.add_midcoders(midcoder->name());
    if (!chosen) spec.add_transcoders(midcoder->provenance().transcoder());
    if (spec.corpus().empty()) spec.set_corpus(midcoder->provenance().corpus());
  }
  if (!spec.transcoders().empty()) return spec;
  absl::StatusOr<std::vector<std::string>> transcoders = ResolveTranscoders(client, options.choice);
  if (!transcoders.ok()) return transcoders.status();
  spec.mutable_transcoders()->Assign(transcoders->begin(), transcoders->end());
  return spec;
}

absl::StatusOr<ExitCode> PrintEstimate(const Client& client, const v1::StatisticsSpec& spec, Session* session) {
  const absl::StatusOr<v1::EstimateStatisticsResponse> estimate = client.EstimateStatistics(spec);
  if (!estimate.ok()) return estimate.status();
  session->out() << (session->json() ? ToJson(*estimate)
                                     : MemoryReport(estimate->estimate(), estimate->snapshot_bytes(),
                                                    session->terminal().out_width));
  return ExitCode::kOk;
}

absl::Status PrintSnapshots(const Client& client, const v1::Job& job, Session* session) {
  std::vector<v1::Snapshot> snapshots;
  for (const std::string& name : job.collected_snapshots().snapshots()) {
    absl::StatusOr<v1::Snapshot> snapshot = client.GetSnapshot(name);
    if (!snapshot.ok()) return snapshot.status();
    snapshots.push_back(*std::move(snapshot));
  }
  session->out() << SnapshotTable(snapshots).Render(session->terminal().out_width);
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunCollect(const Options& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::StatisticsSpec> spec = Resolve(*client, options);
  if (!spec.ok()) return spec.status();
  if (options.estimate) return PrintEstimate(*client, *spec, &session);
  const absl::StatusOr<v1::Job> job = client->CollectStatistics(*spec, options.submit.options);
  if (!job.ok()) return job.status();
  return FinishJob(*client, *job, options.submit.detach, &session,
                   [&](const v1::Job& done) { return PrintSnapshots(*client, done, &session); });
}

void AddTokenOptions(CLI::App* verb, Options* options) {
  verb->add_option("--tokens", options->tokens, "Count at most about this many tokens [1000000]")->type_name("N");
  AddEnumOption(verb, "--split", &options->split, "Which documents [train for text, all for token files]", "SPLIT");
  verb->add_option("--first-sequence", options->first_sequence, "Begin at this sequence of the split [0]")
      ->type_name("N");
  verb->add_option("--batch-size", options->batch_size, "Sequences a batch [32]")->type_name("N");
  verb->add_option("--context-length", options->context_length,
                   "Tokens of a sequence, BOS included [128, or the rows of a 2-D corpus]")
      ->type_name("N");
}

constexpr char kExamples[] =
    "Waits and shows the progress; Ctrl-C stops waiting, and the job goes on. superpose analyze asks the snapshot "
    "that\n"
    "results, superpose snapshots take one of what is counted by now.\n"
    "Examples:\n"
    "  superpose collect --layer 2 --corpus demo --tokens 200000\n"
    "  superpose collect --midcoder ab12 --features live:-4 --groups pairs,gates --label run=first\n"
    "  superpose collect --layer 2 --corpus demo --estimate";

}  // namespace

void AddCollect(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("collect", "Collect statistics of features over a corpus, into a snapshot");
  auto options = std::make_shared<Options>();
  AddTranscoderOptions(verb, &options->choice);
  verb->add_option("--midcoder", options->midcoders,
                   "Count the gates of this midcoder, not the model's; one for each transcoder, or none")
      ->type_name("NAME")
      ->allow_extra_args(false);
  verb->add_option("--corpus", options->corpus, "What to count [what the midcoder was trained on]")->type_name("NAME");
  AddTokenOptions(verb, options.get());
  AddStatisticsOptions(verb, &options->statistics);
  AddEnumOption(verb, "--gate", &options->gate, "Whose gates [midcoder where there is one, else model]", "GATE");
  AddLabelOption(verb, "the snapshots", &options->labels);
  AddSubmitOptions(verb, &options->submit);
  verb->add_flag("--estimate", options->estimate, "Only say what it would take in memory and on the disk");
  verb->footer(std::string(kSelectorForms) + kExamples);
  verb->callback([action, options] {
    if (options->corpus.empty() && options->midcoders.empty()) throw CLI::RequiredError("--corpus or --midcoder");
    *action = [options](Session& session) { return RunCollect(*options, session); };
  });
}

}  // namespace superpose::cli
