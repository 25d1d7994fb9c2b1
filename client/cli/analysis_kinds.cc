#include "client/cli/analysis_kinds.h"

#include <cstdint>
#include <functional>

#include "absl/strings/str_cat.h"
#include "client/cli/direction_choice.h"
#include "client/cli/enum_option.h"
#include "client/cli/feature_selector.h"

namespace superpose::cli {
namespace {

// `selector` gives where to put what was chosen; it is called only then, for an absent selector means something.
void AddSelector(CLI::App* verb, const std::string& name, const std::string& description,
                 const std::function<v1::FeatureSelector*()>& selector) {
  // The command line was checked.
  verb->add_option_function<std::string>(
          name, [selector](const std::string& text) { *selector() = *ParseFeatures(text); }, description)
      ->type_name("FEATURES")
      ->check([](const std::string& text) { return std::string(ParseFeatures(text).status().message()); });
}

template <typename Message>
void AddFeatures(CLI::App* verb, Message* spec) {
  AddSelector(verb, "--features", "Which features, such as band:-3,-2.5 [all]",
              [spec] { return spec->mutable_features(); });
}

template <typename Message>
void AddOtherFeatures(CLI::App* verb, Message* spec) {
  AddSelector(verb, "--other-features", "With which others, the columns [--features]",
              [spec] { return spec->mutable_other_features(); });
}

template <typename Enum>
void AddChoice(CLI::App* verb, const std::string& name, const std::string& description,
               const std::function<void(Enum)>& set) {
  verb->add_option_function<std::string>(
          name, [set](const std::string& word) { set(EnumOf<Enum>(word)); }, description)
      ->check(CLI::IsMember(EnumWords(*google::protobuf::GetEnumDescriptor<Enum>())))
      ->type_name("WORD");
}

CLI::Option* AddNumber(CLI::App* verb, const std::string& name, const std::string& description,
                       const std::function<void(int32_t)>& set) {
  return verb->add_option_function<int32_t>(name, set, description)->type_name("N");
}

void AddSwitch(CLI::App* verb, const std::string& name, const std::string& description,
               const std::function<void(bool)>& set) {
  verb->add_flag_callback(name, [set] { set(true); }, description);
}

template <typename Message>
void AddSource(CLI::App* verb, Message* spec) {
  AddChoice<v1::FrequencySource>(verb, "--by", "Whose frequencies [training where the transcoder has them]",
                                 [spec](v1::FrequencySource by) { spec->set_by(by); });
}

template <typename Message>
void AddMethod(CLI::App* verb, Message* spec) {
  AddChoice<v1::PredictionMethod>(verb, "--method", "How decoders are predicted from the midcoder [act-gate]",
                                  [spec](v1::PredictionMethod method) { spec->set_method(method); });
}

template <typename Message>
void AddDecoders(CLI::App* verb, Message* spec) {
  AddChoice<v1::DecoderKind>(verb, "--kind", "Which decoders: the transcoder's, or the predicted ones [real]",
                             [spec](v1::DecoderKind kind) { spec->set_kind(kind); });
  AddMethod(verb, spec);
}

template <typename Message>
void AddK(CLI::App* verb, Message* spec, int standard) {
  AddNumber(verb, "-k", absl::StrCat("How many [", standard, "]"), [spec](int32_t k) { spec->set_k(k); });
}

template <typename Message>
CLI::Option* AddFeature(CLI::App* verb, Message* spec, const std::string& description) {
  return AddNumber(verb, "--feature", description, [spec](int32_t feature) { spec->set_feature(feature); });
}

template <typename Message>
void AddMinCount(CLI::App* verb, Message* spec, int standard) {
  AddNumber(verb, "--min-count",
            absl::StrCat("Features active for fewer tokens than this do not count [", standard, "]"),
            [spec](int32_t count) { spec->set_min_count(count); });
}

void AddFrequencies(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::FrequenciesAnalysis* question = spec->mutable_frequencies();
  AddFeatures(verb, question);
  AddSource(verb, question);
}

void AddActGate(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::FeatureUnitsAnalysis* question = spec->mutable_feature_units();
  constexpr int kBins = 20;
  question->set_bins(kBins);
  AddFeatures(verb, question);
  AddChoice<v1::FeatureUnitQuantity>(
      verb, "--quantity", "Which quantity by feature and hidden unit [act-gate-mean]",
      [question](v1::FeatureUnitQuantity quantity) { question->set_quantity(quantity); });
  AddNumber(verb, "--bins", absl::StrCat("Bins of the histogram [", kBins, "]"),
            [question](int32_t bins) { question->set_bins(bins); });
  AddSwitch(verb, "--by-feature", "A histogram of each feature, too; for -o and --json",
            [question](bool on) { question->set_by_feature(on); });
  AddSwitch(verb, "--values", "All values, too; for -o and --json", [question](bool on) { question->set_values(on); });
}

void AddPredictedDecoders(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::PredictedDecodersAnalysis* question = spec->mutable_predicted_decoders();
  AddFeatures(verb, question);
  AddMethod(verb, question);
  AddSwitch(verb, "--vectors", "The vectors, too; for -o and --json",
            [question](bool on) { question->set_vectors(on); });
  AddSwitch(verb, "--unit", "Scale the vectors to length 1", [question](bool on) { question->set_unit(on); });
}

void AddPairs(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::PairsAnalysis* question = spec->mutable_pairs();
  AddFeatures(verb, question);
  AddOtherFeatures(verb, question);
  AddChoice<v1::PairQuantity>(verb, "--quantity", "How they go together [phi]",
                              [question](v1::PairQuantity quantity) { question->set_quantity(quantity); });
  AddMinCount(verb, question, 1);
}

void AddCoactive(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::CoactiveAnalysis* question = spec->mutable_coactive();
  AddFeature(verb, question, "With whom does this feature go?")->required();
  AddK(verb, question, 20);
  AddChoice<v1::PairQuantity>(verb, "--by", "By which quantity [phi]",
                              [question](v1::PairQuantity by) { question->set_by(by); });
  AddMinCount(verb, question, 10);
}

void AddSimilarities(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::DecoderSimilaritiesAnalysis* question = spec->mutable_decoder_similarities();
  AddFeatures(verb, question);
  AddOtherFeatures(verb, question);
  AddDecoders(verb, question);
  AddSwitch(verb, "--values", "All cosines, too; for -o and --json", [question](bool on) { question->set_values(on); });
}

void AddNeighbors(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::DecoderNeighborsAnalysis* question = spec->mutable_decoder_neighbors();
  AddFeature(verb, question, "Whose decoder is near to this feature's?")->required();
  AddK(verb, question, 30);
  AddDecoders(verb, question);
  AddNumber(verb, "--bins", "Bins of the histogram of all cosines; for -o and --json [100]",
            [question](int32_t bins) { question->set_bins(bins); });
}

void AddRankedUnits(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::RankedUnitsAnalysis* question = spec->mutable_ranked_units();
  CLI::Option* feature = AddFeature(verb, question, "The hidden units of this feature");
  AddNumber(verb, "--unit", "Instead: the features of this hidden unit", [question](int32_t unit) {
    question->set_unit(unit);
  })->excludes(feature);
  AddK(verb, question, 20);
}

void AddNoise(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::NoiseModelAnalysis* question = spec->mutable_noise_model();
  AddFeatures(verb, question);
  AddChoice<v1::NoiseFormula>(verb, "--formula", "How the model is formed [conditional]",
                              [question](v1::NoiseFormula formula) { question->set_formula(formula); });
  AddSwitch(verb, "--values", "noise_mean and noise_var, too; for -o and --json",
            [question](bool on) { question->set_values(on); });
}

void AddPreActivations(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::PreActivationsAnalysis* question = spec->mutable_pre_activations();
  verb->add_option_function<std::string>(
          "--units", [question](const std::string& text) { *question->mutable_units() = *ParseUnits(text); },
          "Which hidden units, 3,5 or 0:100 [0:100]")
      ->type_name("UNITS")
      ->check([](const std::string& text) { return std::string(ParseUnits(text).status().message()); });
}

void AddProducts(CLI::App* verb, v1::AnalysisSpec* spec) {
  v1::FrequencyProductsAnalysis* question = spec->mutable_frequency_products();
  AddNumber(verb, "--top", "Products of how many frequencies [200]",
            [question](int32_t top) { question->set_top(top); });
  AddNumber(verb, "--most", "How many products come back [25000]",
            [question](int32_t most) { question->set_most(most); });
  AddSource(verb, question);
}

constexpr char kQuantities[] =
    "With f the frequencies of i, j and of both together (ij):\n"
    "  joint                 f_ij\n"
    "  conditional           P(j | i) = f_ij / f_i\n"
    "  phi                   (f_ij - f_i f_j) / sqrt(f_i (1 - f_i) f_j (1 - f_j))\n"
    "  notebook-correlation  (f_ij - f_i f_j) / sqrt(f_i (1 - f_i) f_j): the reference's, not symmetric\n"
    "  lift, pmi             f_ij / (f_i f_j), and its logarithm\n"
    "  jaccard               f_ij / (f_i + f_j - f_ij)\n"
    "  cosine                of the activations\n";

// Frequencies and gates of a snapshot of any model.
std::vector<AnalysisKind> FeatureKinds() {
  return {
      {"frequencies", "How often features are active, most frequent first", "",
       "  superpose analyze ab12 frequencies --features band:-3,-2.5\n"
       "  superpose analyze ab12 frequencies --by snapshot -o frequencies.npy",
       "frequency", AddFrequencies},
      {"act-gate", "Means by feature and hidden unit, such as E[z g | z > 0], as a histogram",
       "With z the feature's activation, g the unit's gate and p its pre-activation:\n"
       "  act-gate-mean        E[z g | z > 0]\n"
       "  gate-probability     P(g | z > 0)\n"
       "  log10-gate-count     log10 of the tokens with both, + 0.1\n"
       "  pre-activation-mean  E[p | z > 0]\n",
       "  superpose analyze ab12 act-gate --features live\n"
       "  superpose analyze ab12 act-gate --quantity gate-probability --features 17,23 -o gates.npy",
       "values", AddActGate, [](v1::AnalysisSpec* spec) { spec->mutable_feature_units()->set_values(true); }},
      {"pairs", "How features go together; the pairs that do most come first", kQuantities,
       "  superpose analyze ab12 pairs --features band:-3,-2.5 --quantity lift --min-count 10\n"
       "  superpose analyze ab12 pairs --features 17 --other-features live --quantity conditional -o p.npy",
       "values", AddPairs},
      {"coactive", "The features that go best with one", kQuantities,
       "  superpose analyze ab12 coactive --feature 17 -k 10 --by lift", "feature", AddCoactive},
      {"pre-activations", "Pre-activations over all tokens beside W_in^T W_in",
       "gram_similarity is the cosine between the off-diagonal entries of the covariance and of W_in^T W_in.\n",
       "  superpose analyze ab12 pre-activations --units 0:20\n"
       "  superpose analyze ab12 pre-activations -o covariance.npy",
       "covariance", AddPreActivations},
      {"products", "Products of frequencies beside the frequencies that there are",
       "Whether the frequencies of rarer features are products of two or three of those of frequent ones.\n",
       "  superpose analyze ab12 products --top 200 -o folder", "products", AddProducts},
  };
}

// What is about decoders and the midcoder.
std::vector<AnalysisKind> DecoderKinds() {
  return {
      {"predicted-decoders", "Decoders as the midcoder predicts them beside the real ones; highest cosine first",
       kPredictionMethods,
       "  superpose analyze ab12 predicted-decoders --features band:-3,-2.5 --method least-squares\n"
       "  superpose analyze ab12 predicted-decoders --features 17,23 --vectors -o folder",
       "cosine", AddPredictedDecoders},
      {"similarities", "The largest cosine of each decoder with another", kPredictionMethods,
       "  superpose analyze ab12 similarities --features band:-3,-2.5 --other-features live\n"
       "  superpose analyze ab12 similarities --features 0:500 --kind predicted -o cosines.npy",
       "values", AddSimilarities,
       [](v1::AnalysisSpec* spec) { spec->mutable_decoder_similarities()->set_values(true); }},
      {"neighbors", "The decoders nearest to one", kPredictionMethods,
       "  superpose analyze ab12 neighbors --feature 17 -k 10", "block", AddNeighbors},
      {"units", "The hidden units of a feature, or the features of a hidden unit",
       "By the weight |W_eff| P(g | z > 0); participation_ratio says over how many it is spread.\n",
       "  superpose analyze ab12 units --feature 17\n"
       "  superpose analyze ab12 units --unit 100 -k 5",
       "weight", AddRankedUnits},
      {"noise", "Pre-activations given a feature, as Gaussian noise; highest cosine of its decoder first",
       "conditional takes all moments given that the feature is active; notebook is the reference's formula.\n",
       "  superpose analyze ab12 noise --features live\n"
       "  superpose analyze ab12 noise --features 17,23 --values -o folder",
       "cosine", AddNoise},
  };
}

std::vector<AnalysisKind> MakeKinds() {
  std::vector<AnalysisKind> kinds = FeatureKinds();
  for (AnalysisKind& kind : DecoderKinds()) kinds.push_back(std::move(kind));
  return kinds;
}

}  // namespace

const std::vector<AnalysisKind>& AnalysisKinds() {
  static const auto* const kKinds = new std::vector<AnalysisKind>(MakeKinds());
  return *kKinds;
}

absl::StatusOr<v1::DimensionSlice> ParseUnits(absl::string_view text) {
  const absl::StatusOr<v1::FeatureSelector> selector = ParseFeatures(text);
  v1::DimensionSlice slice;
  if (selector.ok() && selector->has_range()) {
    *slice.mutable_range() = selector->range();
  } else if (selector.ok() && selector->has_ids()) {
    slice.mutable_indices()->mutable_values()->Add(selector->ids().values().begin(), selector->ids().values().end());
  } else {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' chooses no hidden units: write 3,5 or 0:100"));
  }
  return slice;
}

}  // namespace superpose::cli
