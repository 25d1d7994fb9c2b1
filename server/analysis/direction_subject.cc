#include "server/analysis/direction_subject.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/eigen_query.h"
#include "lib/factorization/eigen_solver.h"
#include "lib/factorization/gram_values.h"
#include "lib/factorization/spectrum.h"
#include "lib/factorization/whitening.h"
#include "server/analysis/analysis_subject.h"
#include "server/analysis/direction_reader.h"
#include "server/analysis/direction_rows.h"
#include "server/analysis/take_enum.h"

namespace superpose {
namespace {

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

using Query = std::variant<GramValuesQuery, SpectrumQuery, WhiteningQuery>;

// Fills in the spec's defaults.
absl::StatusOr<Query> TakeAnyQuery(v1::AnalysisSpec* spec) {
  if (spec->has_gram()) return TakeQuery(spec->mutable_gram());
  if (spec->has_spectrum()) return TakeQuery(spec->mutable_spectrum());
  SUPERPOSE_ASSIGN_OR_RETURN(const WhiteningQuery query, TakeQuery(spec->mutable_whitening()));
  return query;
}

// What is known of an analysis by its query and how many directions there are.
struct Outlook {
  absl::Status status;  // what is wrong with the query
  int64_t units = 0;
  int64_t result_bytes = 0;
  int64_t peak_bytes = 0;  // beside the directions, the answer included
};

Outlook OutlookOf(const GramValuesQuery& query, int64_t rows, int64_t width) {
  const int64_t bytes = GramValuesBytes(rows, query);
  return {.status = CheckGramValuesQuery(query, rows),
          .units = GramValuesUnits(rows, width, query),
          .result_bytes = bytes,
          .peak_bytes = rows * width * kFloatBytes + bytes + rows * kDoubleBytes};
}

Outlook OutlookOf(const SpectrumQuery& query, int64_t rows, int64_t width) {
  if (absl::Status status = CheckEigenQuery(query.eigen, rows); !status.ok()) return {.status = std::move(status)};
  const MemoryEstimate memory = EstimateSpectrum(rows, width, at::kFloat, query);
  return {.status = absl::OkStatus(),
          .units = EigenUnits(rows, width, query.eigen),
          .result_bytes = memory.held_bytes,
          .peak_bytes = memory.peak_bytes};
}

Outlook OutlookOf(const WhiteningQuery& query, int64_t rows, int64_t width) {
  if (absl::Status status = CheckWhiteningQuery(query, rows); !status.ok()) return {.status = std::move(status)};
  const MemoryEstimate memory = EstimateWhitening(rows, width, at::kFloat, query);
  return {.status = absl::OkStatus(),
          .units = WhiteningUnits(rows, width, query),
          .result_bytes = memory.held_bytes,
          .peak_bytes = memory.peak_bytes};
}

Outlook OutlookOf(const Query& query, const DirectionShape& shape) {
  return std::visit([&](const auto& one) { return OutlookOf(one, shape.rows, shape.width); }, query);
}

// The directions, and beside them what reading them takes, then what is done with them.
int64_t PeakBytes(const DirectionShape& shape, const Outlook& outlook) {
  return shape.rows * shape.width * kFloatBytes + std::max(outlook.peak_bytes, shape.reading_bytes);
}

Made MakeOf(const at::Tensor& rows, const GramValuesQuery& query) { return MakeGramValues(rows, query); }
Made MakeOf(const at::Tensor& rows, const SpectrumQuery& query) { return MakeSpectrum(rows, query); }
Made MakeOf(const at::Tensor& rows, const WhiteningQuery& query) { return MakeWhitening(rows, query); }

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
  bool IsLong(int64_t unit) const override { return analysis_->IsLong(unit); }
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

// Whether to bring them to length 1, which is one unit, takes longer than 50 ms.
bool AreMany(const DirectionShape& shape) { return shape.rows * shape.width > int64_t{1} << 23; }

// Reads the directions of a question, then makes it.
class ReadingDirections final : public Preparation {
 public:
  // The answer has the directions' ids where it `has_rows` of theirs, and says how many were `predicted` in vain.
  struct Answer {
    bool are_factors = false;
    bool has_rows = false;
    bool predicted = false;
  };
  ReadingDirections(std::unique_ptr<DirectionReader> reader, const Query& query, const Answer& answer)
      : reader_(std::move(reader)), query_(query), answer_(answer), outlook_(OutlookOf(query, reader_->shape())) {}

  int64_t units() const override { return reader_->units(); }
  absl::Status RunUnit(int64_t unit) override { return reader_->RunUnit(unit); }
  bool MakingIsLong() const override { return AreMany(reader_->shape()); }
  int64_t analysis_units() const override { return outlook_.units; }
  int64_t result_bytes() const override {
    return outlook_.result_bytes + (answer_.has_rows ? reader_->shape().rows * int64_t{sizeof(int64_t)} : 0);
  }

  Made Make() override {
    SUPERPOSE_ASSIGN_OR_RETURN(DirectionRows directions, reader_->Take());
    SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<Analysis> made,
                               std::visit([&](const auto& query) { return MakeOf(directions.rows, query); }, query_));
    auto named = std::make_unique<NamedDirections>(std::move(made), answer_.are_factors,
                                                   answer_.has_rows ? directions.ids : at::Tensor());
    if (answer_.predicted) named->CountUndefined(directions.undefined);
    return named;
  }

 private:
  const std::unique_ptr<DirectionReader> reader_;
  const Query query_;
  const Answer answer_;
  const Outlook outlook_;
};

}  // namespace

absl::StatusOr<OpenedAnalysis> OpenDirectionQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec) {
  if (!spec->snapshot().empty()) {
    return InvalidArgument(reason::kConfigInvalid, "the spec names ", spec->snapshot(),
                           ", but it asks directions: ", "they name the snapshot that takes part, if one does");
  }
  v1::DirectionSource* source = DirectionsOf(spec);
  SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<DirectionReader> reader, DirectionReader::Open(sources, source));
  SUPERPOSE_ASSIGN_OR_RETURN(const Query query, TakeAnyQuery(spec));
  const DirectionShape shape = reader->shape();
  const Outlook outlook = OutlookOf(query, shape);
  SUPERPOSE_RETURN_IF_ERROR(outlook.status);
  OpenedAnalysis opened;
  opened.peak_bytes = PeakBytes(shape, outlook);
  opened.takes_long = AreMany(shape) || (!spec->has_gram() && shape.rows > kMostShortEigh);
  opened.provenance = reader->facts().provenance;
  opened.tokens = reader->facts().tokens;
  const ReadingDirections::Answer answer = {.are_factors = !source->factorization().empty(),
                                            .has_rows = HasRows(*spec),
                                            .predicted = source->kind() == v1::DECODER_KIND_PREDICTED};
  opened.preparation = std::make_unique<ReadingDirections>(std::move(reader), query, answer);
  return opened;
}

absl::StatusOr<int64_t> EstimateDirectionQuestion(const AnalysisSources& sources, v1::AnalysisSpec spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const DirectionShape shape, ResolveDirections(sources, DirectionsOf(&spec)));
  SUPERPOSE_ASSIGN_OR_RETURN(const Query query, TakeAnyQuery(&spec));
  return PeakBytes(shape, OutlookOf(query, shape));
}

}  // namespace superpose
