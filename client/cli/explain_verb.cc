#include <CLI/Error.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "client/cli/analysis_run.h"
#include "client/cli/arguments.h"
#include "client/cli/enum_option.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  std::string factorization;
  std::optional<int32_t> feature, factor, k;
  bool shared = false;
  v1::FactorMeasure by = v1::FACTOR_MEASURE_UNSPECIFIED;
  std::string match;
  AnalysisView view;
};

v1::AnalysisSpec SpecOf(const Options& options) {
  const std::string name = FullName("factorizations", options.factorization);
  v1::AnalysisSpec spec;
  if (options.factor) {
    v1::DecodersOfFactorAnalysis* question = spec.mutable_decoders_of_factor();
    question->set_factorization(name);
    question->set_factor(*options.factor);
    question->set_by(options.by);
    if (options.k) question->set_k(*options.k);
  } else if (!options.match.empty()) {
    spec.mutable_factor_match()->set_factorization(name);
    spec.mutable_factor_match()->set_other(FullName("factorizations", options.match));
  } else if (options.shared) {
    v1::SharedFactorsAnalysis* question = spec.mutable_shared_factors();
    question->set_factorization(name);
    question->set_feature(*options.feature);
    if (options.k) question->set_k(*options.k);
  } else {
    spec.mutable_factors_of_decoder()->set_factorization(name);
    spec.mutable_factors_of_decoder()->set_feature(*options.feature);
  }
  return spec;
}

std::string MainTensorOf(const v1::AnalysisSpec& spec) {
  switch (spec.analysis_case()) {
    case v1::AnalysisSpec::kDecodersOfFactor:
      return "block";
    case v1::AnalysisSpec::kFactorMatch:
      return "match";
    case v1::AnalysisSpec::kSharedFactors:
      return "feature";
    default:
      return "factor";
  }
}

absl::StatusOr<ExitCode> RunExplain(const Options& options, Session* session) {
  const v1::AnalysisSpec spec = SpecOf(options);
  AnalysisView view = options.view;
  view.main_tensor = MainTensorOf(spec);
  return RunAnalysis(spec, view, session);
}

// Throws when no question was asked.
void CheckQuestion(const Options& options) {
  if (!options.feature && !options.factor && options.match.empty()) {
    throw CLI::RequiredError("--feature, --factor or --match");
  }
  if (options.k && !options.factor && !options.shared) {
    throw CLI::ValidationError("-k", "goes with --factor, or with --feature and --shared");
  }
}

void AddQuestionOptions(CLI::App* verb, Options* options) {
  CLI::Option* feature =
      verb->add_option("--feature", options->feature, "What is this feature's decoder made of?")->type_name("N");
  verb->add_flag("--shared", options->shared, "With --feature: the features whose decoders are made of the same")
      ->needs(feature);
  CLI::Option* factor = verb->add_option("--factor", options->factor, "Whose decoders have this factor most?")
                            ->type_name("N")
                            ->excludes(feature);
  AddEnumOption(verb, "--by", &options->by,
                "With --factor: by |code|, how much of it they have, or by |cosine| [code in form topk]", "WORD")
      ->needs(factor);
  verb->add_option("--match", options->match, "Which factors of this other factorization are nearest?")
      ->type_name("NAME")
      ->excludes(feature)
      ->excludes(factor);
  verb->add_option("-k", options->k, "How many features [20]")->type_name("N")->check(AtLeast(1));
}

}  // namespace

void AddExplain(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("explain", "Ask a factorization: factors of a feature, features of a factor");
  auto options = std::make_shared<Options>();
  verb->add_option("FACTORIZATION", options->factorization, "Which one (superpose factorizations lists them)")
      ->required()
      ->type_name("");
  AddQuestionOptions(verb, options.get());
  AddViewOptions(verb, "the ids, or with --factor the block of cosines,", &options->view);
  verb->footer(
      "A decoder is the sum of code * factor over its factors. overlap is the cosine of two decoders' codes. "
      "stability\n"
      "is the mean |cosine| of matches, both ways: 1 where both factorizations found the same.\n"
      "Examples:\n"
      "  superpose explain ab12 --feature 17\n"
      "  superpose explain ab12 --feature 17 --shared -k 10\n"
      "  superpose explain ab12 --factor 3 --by cosine -o block.npy\n"
      "  superpose explain ab12 --match cd34");
  verb->callback([action, options] {
    CheckQuestion(*options);
    *action = [options](Session& session) { return RunExplain(*options, &session); };
  });
}

}  // namespace superpose::cli
