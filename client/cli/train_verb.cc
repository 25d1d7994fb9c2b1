#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/feature_selector.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/memory_table.h"
#include "client/cli/statistics_choice.h"
#include "client/cli/submitted_job.h"
#include "client/cli/table.h"
#include "client/cli/transcoder_choice.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  TranscoderChoice choice;
  std::string corpus;
  std::string mid_dim = "d_mlp";
  std::string gate = "relu";
  std::string order = "shuffled";
  std::optional<int64_t> steps, epochs, train_tokens, batch_size, context_length, steps_per_epoch;
  std::optional<double> adam_eps;
  std::vector<double> lr, weight_decay, mse_out_param;  // several: a sweep
  std::vector<uint64_t> seed;
  bool with_statistics = false;
  StatisticsChoice statistics;
  SubmitChoice submit;
  bool estimate = false;
};

void SetLength(const Options& options, v1::MidcoderTrainingSpec* spec) {
  if (options.steps) spec->set_steps(*options.steps);
  if (options.epochs) spec->set_epochs(*options.epochs);
  if (options.train_tokens) spec->set_train_tokens(*options.train_tokens);
}

void SetOptimizer(const Options& options, v1::MidcoderTrainingSpec* spec) {
  if (options.lr.size() == 1) spec->set_lr(options.lr[0]);
  if (options.weight_decay.size() == 1) spec->set_weight_decay(options.weight_decay[0]);
  if (options.mse_out_param.size() == 1) spec->set_mse_out_param(options.mse_out_param[0]);
  if (options.seed.size() == 1) spec->set_seed(options.seed[0]);
  if (options.adam_eps) spec->set_adam_eps(*options.adam_eps);
  if (options.steps_per_epoch) spec->set_steps_per_epoch(*options.steps_per_epoch);
}

void SetGrid(const Options& options, v1::MidcoderTrainingSpec* spec) {
  v1::MidcoderGrid grid;
  if (options.lr.size() > 1) grid.mutable_lr()->Assign(options.lr.begin(), options.lr.end());
  if (options.weight_decay.size() > 1) {
    grid.mutable_weight_decay()->Assign(options.weight_decay.begin(), options.weight_decay.end());
  }
  if (options.mse_out_param.size() > 1) {
    grid.mutable_mse_out_param()->Assign(options.mse_out_param.begin(), options.mse_out_param.end());
  }
  if (options.seed.size() > 1) grid.mutable_seed()->Assign(options.seed.begin(), options.seed.end());
  if (grid.ByteSizeLong() > 0) *spec->mutable_grid() = std::move(grid);
}

v1::MidcoderTrainingSpec SpecOf(const Options& options, const std::vector<std::string>& transcoders) {
  v1::MidcoderTrainingSpec spec;
  spec.mutable_transcoders()->Assign(transcoders.begin(), transcoders.end());
  spec.set_corpus(FullName("corpora", options.corpus));
  spec.set_mid_form(options.mid_dim == "d_model" ? v1::MID_FORM_D_MODEL : v1::MID_FORM_D_MLP);
  spec.set_gate(options.gate == "model" ? v1::MID_GATE_MODEL : v1::MID_GATE_RELU);
  spec.set_order(options.order == "sequential" ? v1::SEQUENCE_ORDER_SEQUENTIAL : v1::SEQUENCE_ORDER_SHUFFLED);
  SetLength(options, &spec);
  SetOptimizer(options, &spec);
  SetGrid(options, &spec);
  if (options.batch_size) spec.set_batch_size(*options.batch_size);
  if (options.context_length) spec.set_context_length(*options.context_length);
  if (options.with_statistics) *spec.mutable_statistics() = StatisticsOptionsOf(options.statistics);
  return spec;
}

// What the job made, with the losses of the last step.
absl::Status PrintMidcoders(const Client& client, const v1::Job& job, Session* session) {
  Table table({NameColumn("midcoder"),
               {"layer", true},
               {"loss", true},
               {"mse_mid", true},
               {"mse_out", true},
               {"mse_out_transcoder", true},
               NameColumn("snapshot")});
  for (const std::string& name : job.trained_midcoders().midcoders()) {
    absl::StatusOr<v1::Midcoder> midcoder = client.GetMidcoder(name);
    if (!midcoder.ok()) return midcoder.status();
    const auto& losses = midcoder->final_losses();
    table.AddRow({name, FormatCount(midcoder->layer()), FormatFigure(losses, "loss"), FormatFigure(losses, "mse_mid"),
                  FormatFigure(losses, "mse_out"), FormatFigure(losses, "mse_out_transcoder"),
                  absl::StrJoin(midcoder->snapshots(), ", ")});
  }
  session->out() << table.Render(session->terminal().out_width);
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> PrintEstimate(const Client& client, const v1::MidcoderTrainingSpec& spec, Session* session) {
  absl::StatusOr<v1::MemoryEstimate> estimate = client.EstimateMidcoderTraining(spec);
  if (!estimate.ok()) return estimate.status();
  session->out() << (session->json() ? ToJson(*estimate) : MemoryReport(*estimate, 0, session->terminal().out_width));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunTrain(const Options& options, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<std::vector<std::string>> transcoders = ResolveTranscoders(*client, options.choice);
  if (!transcoders.ok()) return transcoders.status();
  if (options.estimate) return PrintEstimate(*client, SpecOf(options, *transcoders), &session);
  absl::StatusOr<v1::Job> job = client->TrainMidcoder(SpecOf(options, *transcoders), options.submit.options);
  if (!job.ok()) return job.status();
  return FinishJob(*client, *job, options.submit.detach, &session,
                   [&](const v1::Job& done) { return PrintMidcoders(*client, done, &session); });
}

void AddLengthOptions(CLI::App* verb, Options* options) {
  CLI::Option* steps = verb->add_option("--steps", options->steps, "Optimizer steps [1000]")->type_name("N");
  CLI::Option* epochs =
      verb->add_option("--epochs", options->epochs, "Instead: epochs of --steps-per-epoch steps")->type_name("N");
  CLI::Option* tokens = verb->add_option("--train-tokens", options->train_tokens,
                                         "Instead: tokens, rounded up to whole epochs and one more")
                            ->type_name("N");
  steps->excludes(epochs)->excludes(tokens);
  epochs->excludes(tokens);
  verb->add_option("--batch-size", options->batch_size, "Sequences a step [32]")->type_name("N");
  verb->add_option("--context-length", options->context_length,
                   "Tokens of a sequence, BOS included [128, or the rows of a 2-D corpus]")
      ->type_name("N");
}

void AddOptimizerOptions(CLI::App* verb, Options* options) {
  verb->add_option("--lr", options->lr, "Learning rate at the start of the cosine [0.001]")
      ->type_name("X,..")
      ->delimiter(',');
  verb->add_option("--weight-decay", options->weight_decay, "Weight decay of AdamW [0.001]")
      ->type_name("X,..")
      ->delimiter(',');
  verb->add_option("--adam-eps", options->adam_eps, "eps of AdamW [1e-8]")->type_name("X");
  verb->add_option("--mse-out-param", options->mse_out_param, "Weight of the loss on the MLP's output [1]")
      ->type_name("X,..")
      ->delimiter(',');
  verb->add_option("--steps-per-epoch", options->steps_per_epoch,
                   "The learning rate changes once in so many steps [10]")
      ->type_name("N");
  verb->add_option("--seed", options->seed, "Seed of the order of sequences [0]")->type_name("N,..")->delimiter(',');
}

}  // namespace

void AddTrain(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("train", "Train a midcoder for each transcoder that is named");
  auto options = std::make_shared<Options>();
  AddTranscoderOptions(verb, &options->choice);
  verb->add_option("--corpus", options->corpus, "What to train on (superpose corpora lists them)")
      ->required()
      ->type_name("NAME");
  verb->add_option("--mid-dim", options->mid_dim, "Where the trained map ends: d_mlp, or d_model (through W_in)")
      ->check(CLI::IsMember({"d_mlp", "d_model"}))
      ->capture_default_str()
      ->type_name("FORM");
  verb->add_option("--gate", options->gate, "relu as in the reference, or model: the model's own activation function")
      ->check(CLI::IsMember({"relu", "model"}))
      ->capture_default_str()
      ->type_name("GATE");
  AddLengthOptions(verb, options.get());
  AddOptimizerOptions(verb, options.get());
  verb->add_option("--order", options->order, "shuffled, or sequential: as they lie in the corpus")
      ->check(CLI::IsMember({"shuffled", "sequential"}))
      ->capture_default_str()
      ->type_name("ORDER");
  CLI::Option* statistics = verb->add_flag("--statistics", options->with_statistics,
                                           "Collect statistics on the way, as the parameters move, into a snapshot");
  AddStatisticsOptions(verb, &options->statistics, statistics);
  AddSubmitOptions(verb, &options->submit);
  verb->add_flag("--estimate", options->estimate, "Only say what it would take in memory");
  verb->footer(
      std::string(kSelectorForms) +
      "Waits and shows the progress; Ctrl-C stops waiting, and the job goes on.\n"
      "Several values of --lr, --weight-decay, --mse-out-param or --seed train a midcoder for each combination, in one "
      "job.\n"
      "Examples:\n"
      "  superpose train --layer 2 --corpus demo --steps 500\n"
      "  superpose train --layer 2 --corpus demo --lr 1e-3,3e-4 --seed 0,1\n"
      "  superpose train --layer 2 --corpus demo --statistics --features live:-4 --groups pairs,gates\n"
      "  job=$(superpose train --layer 2 --corpus demo --detach); superpose watch $job");
  verb->callback([action, options] { *action = [options](Session& session) { return RunTrain(*options, session); }; });
}

}  // namespace superpose::cli
