#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/direction_choice.h"
#include "client/cli/enum_option.h"
#include "client/cli/factorization_table.h"
#include "client/cli/feature_selector.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/labels.h"
#include "client/cli/memory_table.h"
#include "client/cli/submitted_job.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  DirectionChoice directions;
  v1::FactorizationForm form = v1::FACTORIZATION_FORM_UNSPECIFIED;
  v1::FactorizationSchedule schedule = v1::FACTORIZATION_SCHEDULE_UNSPECIFIED;
  std::optional<int32_t> factors, codes, epochs, batch_size, stability_runs;
  std::optional<double> theta, factor_param, lr, weight_decay, adam_eps, held_out, duplicate_cosine;
  std::optional<uint64_t> seed;
  std::string start;
  Labels labels;
  SubmitChoice submit;
  bool estimate = false;
};

void SetFit(const Options& options, v1::FactorizationSpec* spec) {
  spec->set_form(options.form);
  if (options.factors) spec->set_factors(*options.factors);
  if (options.codes) spec->set_codes(*options.codes);
  if (options.theta) spec->set_theta(*options.theta);
  if (options.factor_param) spec->set_factor_param(*options.factor_param);
  if (!options.start.empty()) spec->set_start(FullName("factorizations", options.start));
}

void SetOptimizer(const Options& options, v1::FactorizationSpec* spec) {
  spec->set_schedule(options.schedule);
  if (options.epochs) spec->set_epochs(*options.epochs);
  if (options.batch_size) spec->set_batch_size(*options.batch_size);
  if (options.lr) spec->set_lr(*options.lr);
  if (options.weight_decay) spec->set_weight_decay(*options.weight_decay);
  if (options.adam_eps) spec->set_adam_eps(*options.adam_eps);
  if (options.seed) spec->set_seed(*options.seed);
}

v1::FactorizationSpec SpecOf(const Options& options) {
  v1::FactorizationSpec spec;
  *spec.mutable_directions() = DirectionsOf(options.directions);
  SetFit(options, &spec);
  SetOptimizer(options, &spec);
  if (options.held_out) spec.set_held_out_share(*options.held_out);
  if (options.stability_runs) spec.set_stability_runs(*options.stability_runs);
  if (options.duplicate_cosine) spec.set_duplicate_cosine(*options.duplicate_cosine);
  spec.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  return spec;
}

absl::StatusOr<ExitCode> PrintEstimate(const Client& client, const v1::FactorizationSpec& spec, Session* session) {
  const absl::StatusOr<v1::EstimateFactorizationResponse> estimate = client.EstimateFactorization(spec);
  if (!estimate.ok()) return estimate.status();
  if (session->json()) {
    session->out() << ToJson(*estimate);
    return ExitCode::kOk;
  }
  session->out() << FormatCount(estimate->spec().factors()) << " factors for " << FormatCount(estimate->decoders())
                 << " decoders, and " << FormatCount(estimate->held_out_decoders()) << " held out\n\n"
                 << MemoryReport(estimate->estimate(), 0, session->terminal().out_width);
  return ExitCode::kOk;
}

absl::Status PrintFactorization(const Client& client, const v1::Job& job, Session* session) {
  const absl::StatusOr<v1::Factorization> made = client.GetFactorization(job.factorization().factorization());
  if (!made.ok()) return made.status();
  session->out() << QualityReport(*made, session->terminal().out_width) << made->name() << "\n";
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunFactorize(const Options& options, Session& session) {
  const absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const v1::FactorizationSpec spec = SpecOf(options);
  if (options.estimate) return PrintEstimate(*client, spec, &session);
  const absl::StatusOr<v1::Job> job = client->Factorize(spec, options.submit.options);
  if (!job.ok()) return job.status();
  return FinishJob(*client, *job, options.submit.detach, &session,
                   [&](const v1::Job& done) { return PrintFactorization(*client, done, &session); });
}

void AddFitOptions(CLI::App* verb, Options* options) {
  verb->add_option("--factors", options->factors, "How many factors [half as many as decoders, at most 10000]")
      ->type_name("N");
  AddEnumOption(verb, "--form", &options->form,
                "topk: a decoder is a sum of few factors; gram: the reference's form, of all of them [topk]", "FORM");
  verb->add_option("--codes", options->codes, "Form topk: most factors of a decoder [5]")->type_name("N");
  verb->add_option("--theta", options->theta, "Similarities below it weigh little [0.3]")->type_name("X");
  verb->add_option("--factor-param", options->factor_param, "Weight of the factors' own term [topk 0, gram 0.5]")
      ->type_name("X");
  verb->add_option("--start", options->start, "Begin with the factors of this factorization [drawn]")
      ->type_name("NAME");
}

void AddOptimizerOptions(CLI::App* verb, Options* options) {
  verb->add_option("--epochs", options->epochs,
                   "Passes over the decoders; 0 with --start only says what those factors are worth [100]")
      ->type_name("N");
  verb->add_option("--batch-size", options->batch_size, "Decoders a step [a tenth of all, at most 1000]")
      ->type_name("N");
  verb->add_option("--lr", options->lr, "Learning rate at the start [topk 0.01, gram 0.001]")->type_name("X");
  verb->add_option("--weight-decay", options->weight_decay, "Weight decay of AdamW [0]")->type_name("X");
  verb->add_option("--adam-eps", options->adam_eps, "eps of AdamW [1e-8]")->type_name("X");
  AddEnumOption(verb, "--schedule", &options->schedule,
                "How the learning rate falls: cosine over all steps, or the reference's, which goes up again [cosine]",
                "WORD");
  verb->add_option("--seed", options->seed, "Seed of the start, of orders and of what is held out [0]")->type_name("N");
}

void AddQualityOptions(CLI::App* verb, Options* options) {
  verb->add_option("--held-out", options->held_out,
                   "The share of decoders that is not fitted but measured [0.1, with --start 0]")
      ->type_name("X");
  verb->add_option("--stability-runs", options->stability_runs,
                   "Fits with other seeds, to say whether they find the same factors; each as long as the first [1]")
      ->type_name("N");
  verb->add_option("--duplicate-cosine", options->duplicate_cosine,
                   "|cosine| above which a factor repeats an earlier one [0.95]")
      ->type_name("X");
}

constexpr char kExplanation[] =
    "Waits, shows the progress, and prints what the factors are worth beside as many k-means centres and principal\n"
    "directions: the error is |d - d_hat|^2 of decoders of length 1, so that 0 is all explained and 1 nothing. Ctrl-C\n"
    "stops waiting, and the job goes on. superpose explain asks the factorization that results.\n"
    "Examples:\n"
    "  superpose factorize 2 --top 20000 --factors 10000\n"
    "  superpose factorize 2 --features live:-4 --factors 500 --codes 3 --label run=first\n"
    "  superpose factorize 2 --form gram --theta 0.3 --factor-param 0.5 --schedule reference\n"
    "  superpose factorize --snapshot cd34 --kind predicted --estimate\n"
    "  superpose factorize 2 --start ab12 --epochs 0";

}  // namespace

void AddFactorize(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("factorize", "Explain decoders by fewer factors");
  auto options = std::make_shared<Options>();
  AddDirectionOptions(verb, /*factors=*/false, &options->directions);
  AddFitOptions(verb, options.get());
  AddOptimizerOptions(verb, options.get());
  AddQualityOptions(verb, options.get());
  AddLabelOption(verb, "the factorization", &options->labels);
  AddSubmitOptions(verb, &options->submit);
  verb->add_flag("--estimate", options->estimate, "Only say what it would take in memory");
  verb->footer(absl::StrCat(kSelectorForms, kExplanation));
  verb->callback([action, options] {
    CheckDirections(options->directions);
    *action = [options](Session& session) { return RunFactorize(*options, session); };
  });
}

}  // namespace superpose::cli
