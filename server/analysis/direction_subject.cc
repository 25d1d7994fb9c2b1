#include "server/analysis/direction_subject.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/eigen_query.h"
#include "lib/factorization/gram_values.h"
#include "lib/factorization/spectrum.h"
#include "lib/factorization/whitening.h"
#include "server/analysis/analysis_subject.h"
#include "server/analysis/direction_rows.h"
#include "server/analysis/take_enum.h"

namespace superpose {
namespace {

// Directions up to which an eigenproblem is solved at once: in less than half a second.
constexpr int64_t kMostAtOnce = 1000;

using Made = absl::StatusOr<std::unique_ptr<Analysis>>;

static_assert(static_cast<int>(WhiteningForm::kNotebook) + 1 == v1::WHITENING_FORM_NOTEBOOK);

template <typename Spec>
double TakeTheta(Spec* spec, double standard) {
  if (!spec->has_theta()) spec->set_theta(standard);
  return spec->theta();
}

GramValuesQuery TakeQuery(v1::GramAnalysis* spec) {
  GramValuesQuery query;
  query.theta = TakeTheta(spec, query.theta);
  query.values = spec->values();
  return query;
}

SpectrumQuery TakeQuery(v1::SpectrumAnalysis* spec) {
  SpectrumQuery query;
  EigenQuery& eigen = query.eigen;
  eigen.theta = TakeTheta(spec, eigen.theta);
  eigen.k = spec->k();
  eigen.by_magnitude = spec->by_magnitude();
  if (!spec->has_tolerance()) spec->set_tolerance(eigen.tolerance);
  eigen.tolerance = spec->tolerance();
  if (!spec->has_max_iterations()) spec->set_max_iterations(static_cast<int32_t>(eigen.max_iterations));
  eigen.max_iterations = spec->max_iterations();
  query.vectors = spec->vectors();
  return query;
}

absl::StatusOr<WhiteningQuery> TakeQuery(v1::WhiteningAnalysis* spec) {
  WhiteningQuery query;
  query.eigen.theta = TakeTheta(spec, query.eigen.theta);
  query.eigen.k = spec->k();
  if (!spec->has_cutoff()) spec->set_cutoff(query.cutoff);
  query.cutoff = spec->cutoff();
  v1::WhiteningForm form = spec->form();
  SUPERPOSE_RETURN_IF_ERROR(
      TakeEnum("form", &form, v1::WhiteningForm_IsValid(form), v1::WHITENING_FORM_EIGEN, &query.form));
  spec->set_form(form);
  return query;
}

Made MakeFrom(const at::Tensor& rows, v1::AnalysisSpec* spec) {
  if (spec->has_gram()) return MakeGramValues(rows, TakeQuery(spec->mutable_gram()));
  if (spec->has_spectrum()) return MakeSpectrum(rows, TakeQuery(spec->mutable_spectrum()));
  SUPERPOSE_ASSIGN_OR_RETURN(const WhiteningQuery query, TakeQuery(spec->mutable_whitening()));
  return MakeWhitening(rows, query);
}

// Whose rows the answer's tensors have.
bool HasRows(const v1::AnalysisSpec& spec) {
  return spec.has_gram() || (spec.has_spectrum() && spec.spectrum().vectors());
}

// The analysis of directions, with their ids in its answer.
class NamedDirections final : public Analysis {
 public:
  // ids: undefined where the answer has no rows of theirs.
  NamedDirections(std::unique_ptr<Analysis> analysis, bool are_factors, at::Tensor ids)
      : analysis_(std::move(analysis)), name_(are_factors ? "factor" : "feature"), ids_(std::move(ids)) {}

  void CountUndefined(int64_t undefined) { undefined_ = static_cast<double>(undefined); }

  int64_t units() const override { return analysis_->units(); }
  void RunUnit(int64_t unit) override { analysis_->RunUnit(unit); }
  AnalysisOutput Take() override {
    AnalysisOutput output = analysis_->Take();
    if (ids_.defined()) output.tensors.emplace_back(name_, ids_);
    if (undefined_.has_value()) output.figures["undefined_directions"] = *undefined_;
    return output;
  }
  int64_t result_bytes() const override {
    return analysis_->result_bytes() + (ids_.defined() ? static_cast<int64_t>(ids_.nbytes()) : 0);
  }

 private:
  const std::unique_ptr<Analysis> analysis_;
  const char* const name_;
  const at::Tensor ids_;
  std::optional<double> undefined_;
};

// The directions, and what the work takes beside them. The spec has its defaults.
absl::StatusOr<int64_t> PeakBytes(const DirectionShape& shape, v1::AnalysisSpec* spec) {
  const int64_t rows = shape.rows * shape.width * kFloatBytes;
  if (spec->has_spectrum()) {
    const SpectrumQuery query = TakeQuery(spec->mutable_spectrum());
    return rows + EstimateSpectrum(shape.rows, shape.width, at::kFloat, query).peak_bytes;
  }
  if (spec->has_whitening()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const WhiteningQuery query, TakeQuery(spec->mutable_whitening()));
    return rows + EstimateWhitening(shape.rows, shape.width, at::kFloat, query).peak_bytes;
  }
  const int64_t values = spec->gram().values() ? shape.rows * shape.rows * kFloatBytes : 0;
  return 2 * rows + values + 3 * shape.rows * kDoubleBytes;
}

bool SolvesMuch(const v1::AnalysisSpec& spec, int64_t directions) {
  return !spec.has_gram() && directions > kMostAtOnce;
}

}  // namespace

absl::StatusOr<OpenedAnalysis> OpenDirectionQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec) {
  if (!spec->snapshot().empty()) {
    return InvalidArgument(reason::kConfigInvalid, "the spec names ", spec->snapshot(),
                           ", but it asks directions: ", "they name the snapshot that takes part, if one does");
  }
  v1::DirectionSource* source = DirectionsOf(spec);
  SUPERPOSE_ASSIGN_OR_RETURN(const DirectionShape shape, ResolveDirections(sources, source));
  SUPERPOSE_ASSIGN_OR_RETURN(DirectionRows directions, ReadDirections(sources, *source));
  SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<Analysis> made, MakeFrom(directions.rows, spec));
  OpenedAnalysis opened;
  SUPERPOSE_ASSIGN_OR_RETURN(opened.peak_bytes, PeakBytes(shape, spec));
  opened.has_long_units = SolvesMuch(*spec, directions.rows.size(0));
  opened.provenance = std::move(directions.provenance);
  opened.tokens = directions.tokens;
  auto named = std::make_unique<NamedDirections>(std::move(made), /*are_factors=*/!source->factorization().empty(),
                                                 HasRows(*spec) ? directions.ids : at::Tensor());
  if (source->kind() == v1::DECODER_KIND_PREDICTED) named->CountUndefined(directions.undefined);
  opened.analysis = std::move(named);
  return opened;
}

absl::StatusOr<int64_t> EstimateDirectionQuestion(const AnalysisSources& sources, v1::AnalysisSpec spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const DirectionShape shape, ResolveDirections(sources, DirectionsOf(&spec)));
  return PeakBytes(shape, &spec);
}

}  // namespace superpose
