// The verbs that ask directions: spectrum, whiten, gram.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/analysis_run.h"
#include "client/cli/arguments.h"
#include "client/cli/direction_choice.h"
#include "client/cli/enum_option.h"
#include "client/cli/feature_selector.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct Options {
  DirectionChoice directions;
  AnalysisView view;
  std::optional<double> theta, tolerance, cutoff;
  std::optional<int32_t> max_iterations;
  int32_t k = 0;
  bool by_magnitude = false;
  bool vectors = false;
  bool values = false;
  v1::WhiteningForm form = v1::WHITENING_FORM_UNSPECIFIED;
};

v1::AnalysisSpec GramOf(const Options& options) {
  v1::AnalysisSpec spec;
  v1::GramAnalysis* question = spec.mutable_gram();
  *question->mutable_directions() = DirectionsOf(options.directions);
  if (options.theta) question->set_theta(*options.theta);
  question->set_values(options.values || WantsMainTensor(options.view));
  return spec;
}

v1::AnalysisSpec SpectrumOf(const Options& options) {
  v1::AnalysisSpec spec;
  v1::SpectrumAnalysis* question = spec.mutable_spectrum();
  *question->mutable_directions() = DirectionsOf(options.directions);
  if (options.theta) question->set_theta(*options.theta);
  question->set_k(options.k);
  question->set_by_magnitude(options.by_magnitude);
  question->set_vectors(options.vectors);
  if (options.tolerance) question->set_tolerance(*options.tolerance);
  if (options.max_iterations) question->set_max_iterations(*options.max_iterations);
  return spec;
}

v1::AnalysisSpec WhiteningOf(const Options& options) {
  v1::AnalysisSpec spec;
  v1::WhiteningAnalysis* question = spec.mutable_whitening();
  *question->mutable_directions() = DirectionsOf(options.directions);
  if (options.theta) question->set_theta(*options.theta);
  question->set_k(options.k);
  if (options.cutoff) question->set_cutoff(*options.cutoff);
  question->set_form(options.form);
  return spec;
}

using MakeSpec = v1::AnalysisSpec (*)(const Options& options);

// The verb with the options that all three have; `footer` explains it.
CLI::App* AddDirectionVerb(CLI::App* app, const std::string& name, const std::string& description,
                           const std::string& main_tensor, const std::string& footer, MakeSpec make,
                           const std::shared_ptr<Options>& options, Action* action) {
  CLI::App* verb = app->add_subcommand(name, description);
  AddDirectionOptions(verb, /*factors=*/true, &options->directions);
  verb->add_option("--theta", options->theta, "Cosines below it count as 0, -1 .. 1 [0.5]")->type_name("X");
  options->view.main_tensor = main_tensor;
  AddViewOptions(verb, main_tensor, &options->view);
  verb->footer(absl::StrCat(kSelectorForms, footer));
  verb->callback([action, options, make] {
    CheckDirections(options->directions);
    *action = [options, make](Session& session) { return RunAnalysis(make(*options), options->view, &session); };
  });
  return verb;
}

void AddK(CLI::App* verb, Options* options) {
  verb->add_option("-k", options->k, "Only so many, the largest [all]")->type_name("N")->check(AtLeast(1));
}

}  // namespace

void AddSpectrum(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = AddDirectionVerb(
      app, "spectrum", "Eigenvalues of directions' thresholded cosines", "eigenvalue",
      "Of the matrix of all cosines, with those below theta set to 0: it may have negative eigenvalues. All of up to\n"
      "10,000 directions; the largest -k also of more.\n"
      "Examples:\n"
      "  superpose spectrum 2 --top 5000 -k 100\n"
      "  superpose spectrum 2 --features live:-4 --theta 0.3 --by-magnitude --vectors -o folder\n"
      "  superpose spectrum factorizations/ab12 --limit 0",
      SpectrumOf, options, action);
  AddK(verb, options.get());
  verb->add_flag("--by-magnitude", options->by_magnitude, "The largest |eigenvalue| first, as an SVD has them");
  verb->add_flag("--vectors", options->vectors, "U and V, too; for -o and --json");
  verb->add_option("--tolerance", options->tolerance, "Of Lanczos, which finds the largest of many [1e-6]")
      ->type_name("X");
  verb->add_option("--max-iterations", options->max_iterations, "Of Lanczos [200]")->type_name("N");
}

void AddWhiten(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      AddDirectionVerb(app, "whiten", "Combinations of directions that are apart from each other", "features",
                       "By the eigenvalues of the matrix that superpose spectrum looks at. eigen takes those above the "
                       "cut-off; notebook,\n"
                       "the reference's, takes negative ones as if they were positive.\n"
                       "Examples:\n"
                       "  superpose whiten 2 --top 5000 --cutoff 0.1 -o features.npy\n"
                       "  superpose whiten factorizations/ab12 --form notebook -o folder",
                       WhiteningOf, options, action);
  AddK(verb, options.get());
  verb->add_option("--cutoff", options->cutoff, "Leave out eigenvalues that are no larger [0.01]")->type_name("X");
  AddEnumOption(verb, "--form", &options->form, "How negative eigenvalues are taken [eigen]", "WORD");
}

void AddGram(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = AddDirectionVerb(
      app, "gram", "Which directions are near others; those with the most neighbors first", "values",
      "neighbors: how many others have a cosine of at least theta with it; neighbor_sum: the sum of those.\n"
      "Examples:\n"
      "  superpose gram 2 --features live --theta 0.5\n"
      "  superpose gram 2 --top 1000 -o cosines.npy\n"
      "  superpose gram --snapshot cd34 --kind predicted --method least-squares",
      GramOf, options, action);
  verb->add_flag("--values", options->values, "All cosines, too; for -o and --json");
}

}  // namespace superpose::cli
