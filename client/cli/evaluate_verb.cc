#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/evaluation_table.h"
#include "client/cli/format.h"
#include "client/cli/submitted_job.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  std::string midcoder;
  std::string corpus;
  std::string split;
  std::optional<int64_t> tokens, batch_size, context_length;
  bool keep_bos = false;
  SubmitChoice submit;
};

v1::CorpusSplit SplitOf(const std::string& split) {
  if (split == "train") return v1::CORPUS_SPLIT_TRAIN;
  if (split == "heldout") return v1::CORPUS_SPLIT_HELDOUT;
  return split == "all" ? v1::CORPUS_SPLIT_ALL : v1::CORPUS_SPLIT_UNSPECIFIED;
}

v1::MidcoderEvaluationSpec SpecOf(const Options& options) {
  v1::MidcoderEvaluationSpec spec;
  spec.set_midcoder(FullName("midcoders", options.midcoder));
  if (!options.corpus.empty()) spec.set_corpus(FullName("corpora", options.corpus));
  spec.set_split(SplitOf(options.split));
  if (options.tokens) spec.set_tokens(*options.tokens);
  if (options.batch_size) spec.set_batch_size(*options.batch_size);
  if (options.context_length) spec.set_context_length(*options.context_length);
  if (options.keep_bos) spec.set_keep_bos(true);
  return spec;
}

void Print(const v1::MidcoderEvaluation& evaluation, Session* session) {
  int width = session->terminal().out_width;
  session->out() << evaluation.midcoder() << " on " << FormatCount(evaluation.tokens()) << " tokens of "
                 << evaluation.provenance().corpus()
                 << (evaluation.on_training_tokens() ? ", which training may have seen" : "") << "\n\n"
                 << VariantTable(evaluation).Render(width) << "\n"
                 << OtherFiguresTable(evaluation).Render(width);
}

absl::StatusOr<ExitCode> RunEvaluate(const Options& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Job> job = client->EvaluateMidcoder(SpecOf(options), options.submit.options);
  if (!job.ok()) return job.status();
  return FinishJob(*client, *job, options.submit.detach, &session, [&](const v1::Job& done) {
    Print(done.evaluation(), &session);
    return absl::OkStatus();
  });
}

}  // namespace

void AddEvaluate(CLI::App* app, Action* action) {
  CLI::App* verb =
      app->add_subcommand("evaluate", "The model's loss with an MLP replaced by a midcoder, its transcoder, zero ..");
  auto options = std::make_shared<Options>();
  verb->add_option("MIDCODER", options->midcoder, "Which midcoder (superpose midcoders lists them)")
      ->required()
      ->type_name("");
  verb->add_option("--corpus", options->corpus, "What to evaluate on [what it was trained on]")->type_name("NAME");
  verb->add_option("--tokens", options->tokens, "At most about this many tokens [20000]")->type_name("N");
  verb->add_option("--split", options->split, "train, heldout or all documents [heldout for text, all for token files]")
      ->check(CLI::IsMember({"train", "heldout", "all"}))
      ->type_name("SPLIT");
  verb->add_option("--batch-size", options->batch_size, "Sequences a batch [16]")->type_name("N");
  verb->add_option("--context-length", options->context_length, "Tokens of a sequence [as in training]")
      ->type_name("N");
  verb->add_flag("--keep-bos", options->keep_bos, "The BOS position keeps the model's own MLP output in every variant");
  AddSubmitOptions(verb, &options->submit);
  verb->footer("Example:\n  superpose evaluate midcoders/ab12 --corpus demo --tokens 20000");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return RunEvaluate(*options, session); }; });
}

}  // namespace superpose::cli
