#include "server/analysis/analysis_subject.h"

#include <utility>

namespace superpose {
namespace {

using v1::AnalysisSpec;

std::vector<std::string> WithoutEmpty(std::vector<std::string> names) {
  std::erase(names, "");
  return names;
}

}  // namespace

AnalysisSubject SubjectOf(const AnalysisSpec& spec) {
  switch (spec.analysis_case()) {
    case AnalysisSpec::ANALYSIS_NOT_SET:
      return AnalysisSubject::kNone;
    case AnalysisSpec::kGram:
    case AnalysisSpec::kSpectrum:
    case AnalysisSpec::kWhitening:
      return AnalysisSubject::kDirections;
    case AnalysisSpec::kFactorsOfDecoder:
    case AnalysisSpec::kDecodersOfFactor:
    case AnalysisSpec::kSharedFactors:
    case AnalysisSpec::kFactorMatch:
      return AnalysisSubject::kFactorization;
    default:
      return AnalysisSubject::kSnapshot;
  }
}

v1::DirectionSource* DirectionsOf(AnalysisSpec* spec) {
  if (spec->has_gram()) return spec->mutable_gram()->mutable_directions();
  if (spec->has_spectrum()) return spec->mutable_spectrum()->mutable_directions();
  return spec->mutable_whitening()->mutable_directions();
}

const v1::DirectionSource& DirectionsOf(const AnalysisSpec& spec) {
  if (spec.has_gram()) return spec.gram().directions();
  return spec.has_spectrum() ? spec.spectrum().directions() : spec.whitening().directions();
}

std::vector<std::string> ResourcesOf(const v1::DirectionSource& source) {
  return WithoutEmpty({source.transcoder(), source.snapshot(), source.factorization()});
}

std::vector<std::string> ResourcesOf(const AnalysisSpec& spec) {
  switch (SubjectOf(spec)) {
    case AnalysisSubject::kDirections:
      return ResourcesOf(DirectionsOf(spec));
    case AnalysisSubject::kFactorization:
      // Of the three that it is not, these are empty.
      return WithoutEmpty({spec.factors_of_decoder().factorization(), spec.decoders_of_factor().factorization(),
                           spec.shared_factors().factorization(), spec.factor_match().factorization(),
                           spec.factor_match().other()});
    default:
      return WithoutEmpty({spec.snapshot()});
  }
}

}  // namespace superpose
