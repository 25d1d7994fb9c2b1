#include "server/analysis/analysis_query.h"

#include <optional>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/statistics/analysis/coactive.h"
#include "lib/statistics/analysis/decoder_neighbors.h"
#include "lib/statistics/analysis/decoder_similarities.h"
#include "lib/statistics/analysis/feature_units.h"
#include "lib/statistics/analysis/frequencies.h"
#include "lib/statistics/analysis/frequency_products.h"
#include "lib/statistics/analysis/noise_model.h"
#include "lib/statistics/analysis/pairs.h"
#include "lib/statistics/analysis/pre_activations.h"
#include "lib/statistics/analysis/predicted_decoders.h"
#include "lib/statistics/analysis/ranked_units.h"
#include "server/analysis/decoder_choice.h"
#include "server/analysis/take_enum.h"
#include "server/runtime/feature_selectors.h"

namespace superpose {
namespace {

using Made = absl::StatusOr<std::unique_ptr<Analysis>>;

static_assert(static_cast<int>(FeatureUnitQuantity::kPreActivationMean) + 1 ==
              v1::FEATURE_UNIT_QUANTITY_PRE_ACTIVATION_MEAN);
static_assert(static_cast<int>(PairQuantity::kCosine) + 1 == v1::PAIR_QUANTITY_COSINE);
static_assert(static_cast<int>(PairQuantity::kPhi) + 1 == v1::PAIR_QUANTITY_PHI);
static_assert(static_cast<int>(NoiseFormula::kNotebook) + 1 == v1::NOISE_FORMULA_NOTEBOOK);

Made MakeFrom(const AnalysisInputs& inputs, v1::FrequenciesAnalysis* spec) {
  FrequenciesQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.features, SelectionOf(spec->features()));
  SUPERPOSE_ASSIGN_OR_RETURN(query.by, SourceOf(spec->by()));
  return MakeFrequencies(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::FeatureUnitsAnalysis* spec) {
  FeatureUnitsQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.features, SelectionOf(spec->features()));
  v1::FeatureUnitQuantity quantity = spec->quantity();
  SUPERPOSE_RETURN_IF_ERROR(TakeEnum("quantity", &quantity, v1::FeatureUnitQuantity_IsValid(quantity),
                                     v1::FEATURE_UNIT_QUANTITY_ACT_GATE_MEAN, &query.quantity));
  spec->set_quantity(quantity);
  if (!spec->has_bins()) spec->set_bins(static_cast<int32_t>(query.bins));
  query.bins = spec->bins();
  query.values = spec->values();
  query.by_feature = spec->by_feature();
  return MakeFeatureUnits(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::PredictedDecodersAnalysis* spec) {
  PredictedDecodersQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.features, SelectionOf(spec->features()));
  v1::PredictionMethod method = spec->method();
  SUPERPOSE_RETURN_IF_ERROR(TakeMethod(&method, &query.method));
  spec->set_method(method);
  query.vectors = spec->vectors();
  query.unit = spec->unit();
  return MakePredictedDecoders(inputs, query);
}

absl::Status TakeQuantity(absl::string_view field, v1::PairQuantity* quantity, PairQuantity* result) {
  return TakeEnum(field, quantity, v1::PairQuantity_IsValid(*quantity), v1::PAIR_QUANTITY_PHI, result);
}

// The second set of features, where there is one.
template <typename Spec>
absl::StatusOr<std::optional<FeatureSelection>> OtherFeatures(const Spec& spec) {
  if (!spec.has_other_features()) return std::nullopt;
  SUPERPOSE_ASSIGN_OR_RETURN(FeatureSelection selection, SelectionOf(spec.other_features()));
  return selection;
}

Made MakeFrom(const AnalysisInputs& inputs, v1::PairsAnalysis* spec) {
  PairsQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.features, SelectionOf(spec->features()));
  SUPERPOSE_ASSIGN_OR_RETURN(query.other_features, OtherFeatures(*spec));
  v1::PairQuantity quantity = spec->quantity();
  SUPERPOSE_RETURN_IF_ERROR(TakeQuantity("quantity", &quantity, &query.quantity));
  spec->set_quantity(quantity);
  if (!spec->has_min_count()) spec->set_min_count(query.min_count);
  query.min_count = spec->min_count();
  return MakePairs(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::CoactiveAnalysis* spec) {
  CoactiveQuery query;
  v1::PairQuantity by = spec->by();
  SUPERPOSE_RETURN_IF_ERROR(TakeQuantity("by", &by, &query.by));
  spec->set_by(by);
  if (!spec->has_k()) spec->set_k(static_cast<int32_t>(query.k));
  if (!spec->has_min_count()) spec->set_min_count(query.min_count);
  query.feature = spec->feature();
  query.k = spec->k();
  query.min_count = spec->min_count();
  return MakeCoactive(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::DecoderSimilaritiesAnalysis* spec) {
  DecoderSimilaritiesQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.features, SelectionOf(spec->features()));
  SUPERPOSE_ASSIGN_OR_RETURN(query.other_features, OtherFeatures(*spec));
  SUPERPOSE_RETURN_IF_ERROR(TakeDecoders(spec, &query.decoders));
  query.values = spec->values();
  return MakeDecoderSimilarities(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::DecoderNeighborsAnalysis* spec) {
  DecoderNeighborsQuery query;
  SUPERPOSE_RETURN_IF_ERROR(TakeDecoders(spec, &query.decoders));
  if (!spec->has_k()) spec->set_k(static_cast<int32_t>(query.k));
  if (!spec->has_bins()) spec->set_bins(static_cast<int32_t>(query.bins));
  query.feature = spec->feature();
  query.k = spec->k();
  query.bins = spec->bins();
  return MakeDecoderNeighbors(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::RankedUnitsAnalysis* spec) {
  RankedUnitsQuery query;
  if (spec->has_feature()) query.feature = spec->feature();
  if (spec->has_unit()) query.unit = spec->unit();
  if (!spec->has_k()) spec->set_k(static_cast<int32_t>(query.k));
  query.k = spec->k();
  return MakeRankedUnits(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::NoiseModelAnalysis* spec) {
  NoiseModelQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.features, SelectionOf(spec->features()));
  v1::NoiseFormula formula = spec->formula();
  SUPERPOSE_RETURN_IF_ERROR(
      TakeEnum("formula", &formula, v1::NoiseFormula_IsValid(formula), v1::NOISE_FORMULA_CONDITIONAL, &query.formula));
  spec->set_formula(formula);
  query.values = spec->values();
  return MakeNoiseModel(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::PreActivationsAnalysis* spec) {
  PreActivationsQuery query;
  const v1::DimensionSlice& units = spec->units();
  if (units.has_range()) query.units = UnitRange{units.range().start(), units.range().stop()};
  if (units.has_indices()) {
    query.units = std::vector<int64_t>(units.indices().values().begin(), units.indices().values().end());
  }
  return MakePreActivations(inputs, query);
}

Made MakeFrom(const AnalysisInputs& inputs, v1::FrequencyProductsAnalysis* spec) {
  FrequencyProductsQuery query;
  SUPERPOSE_ASSIGN_OR_RETURN(query.by, SourceOf(spec->by()));
  if (!spec->has_top()) spec->set_top(static_cast<int32_t>(query.top));
  if (!spec->has_most()) spec->set_most(static_cast<int32_t>(query.most));
  query.top = spec->top();
  query.most = spec->most();
  return MakeFrequencyProducts(inputs, query);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeAnalysis(const AnalysisInputs& inputs, v1::AnalysisSpec* spec) {
  switch (spec->analysis_case()) {
    case v1::AnalysisSpec::kFrequencies:
      return MakeFrom(inputs, spec->mutable_frequencies());
    case v1::AnalysisSpec::kFeatureUnits:
      return MakeFrom(inputs, spec->mutable_feature_units());
    case v1::AnalysisSpec::kPredictedDecoders:
      return MakeFrom(inputs, spec->mutable_predicted_decoders());
    case v1::AnalysisSpec::kPairs:
      return MakeFrom(inputs, spec->mutable_pairs());
    case v1::AnalysisSpec::kCoactive:
      return MakeFrom(inputs, spec->mutable_coactive());
    case v1::AnalysisSpec::kDecoderSimilarities:
      return MakeFrom(inputs, spec->mutable_decoder_similarities());
    case v1::AnalysisSpec::kDecoderNeighbors:
      return MakeFrom(inputs, spec->mutable_decoder_neighbors());
    case v1::AnalysisSpec::kRankedUnits:
      return MakeFrom(inputs, spec->mutable_ranked_units());
    case v1::AnalysisSpec::kNoiseModel:
      return MakeFrom(inputs, spec->mutable_noise_model());
    case v1::AnalysisSpec::kPreActivations:
      return MakeFrom(inputs, spec->mutable_pre_activations());
    case v1::AnalysisSpec::kFrequencyProducts:
      return MakeFrom(inputs, spec->mutable_frequency_products());
    default:
      break;
  }
  return InvalidArgument(reason::kConfigInvalid,
                         "the spec asks a snapshot for no analysis, or for one that this server does not know: set "
                         "one of its fields, such as frequencies");
}

}  // namespace superpose
