#include "server/analysis/factorization_subject.h"

#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "server/analysis/factor_match.h"
#include "server/analysis/factor_questions.h"

namespace superpose {
namespace {

using Made = absl::StatusOr<std::unique_ptr<Analysis>>;

const std::string& FactorizationOf(const v1::AnalysisSpec& spec) {
  if (spec.has_factors_of_decoder()) return spec.factors_of_decoder().factorization();
  if (spec.has_decoders_of_factor()) return spec.decoders_of_factor().factorization();
  return spec.has_shared_factors() ? spec.shared_factors().factorization() : spec.factor_match().factorization();
}

Made MakeFrom(const FactorizationHandle& stored, FactorizationStore* factorizations, v1::AnalysisSpec* spec) {
  if (spec->has_factors_of_decoder()) return MakeFactorsOfDecoder(stored, spec->mutable_factors_of_decoder());
  if (spec->has_decoders_of_factor()) return MakeDecodersOfFactor(stored, spec->mutable_decoders_of_factor());
  if (spec->has_shared_factors()) return MakeSharedFactors(stored, spec->mutable_shared_factors());
  SUPERPOSE_ASSIGN_OR_RETURN(const FactorizationHandle other,
                             StoredFactorization::Open(factorizations, spec->factor_match().other()));
  return MakeFactorMatch(stored, other);
}

// Most that any of them works with: factors or decoders at length 1 in float64.
int64_t WorkBytes(const v1::Factorization& facts) {
  return (facts.factors() + facts.decoders() + facts.held_out_decoders()) * facts.width() * kDoubleBytes;
}

}  // namespace

absl::StatusOr<OpenedAnalysis> OpenFactorizationQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec) {
  if (!spec->snapshot().empty()) {
    return InvalidArgument(reason::kConfigInvalid, "the spec names ", spec->snapshot(), ", but it asks a ",
                           "factorization: leave snapshot empty");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const FactorizationHandle stored,
                             StoredFactorization::Open(sources.factorizations, FactorizationOf(*spec)));
  OpenedAnalysis opened;
  SUPERPOSE_ASSIGN_OR_RETURN(opened.analysis, MakeFrom(stored, sources.factorizations, spec));
  opened.provenance = stored->facts().provenance();
  opened.peak_bytes = opened.analysis->result_bytes() + WorkBytes(stored->facts());
  return opened;
}

}  // namespace superpose
