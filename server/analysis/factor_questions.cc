#include "server/analysis/factor_questions.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/factor_codes.h"
#include "lib/factorization/nearest_rows.h"
#include "lib/statistics/analysis/one_unit_analysis.h"

namespace superpose {
namespace {

constexpr int64_t kDefaultK = 20;

using Made = absl::StatusOr<std::unique_ptr<Analysis>>;

// Of work whose inputs were checked, inside CatchTorch.
template <typename T>
T ValueOrThrow(absl::StatusOr<T> result) {
  if (ReasonOf(result.status()) == reason::kOutOfMemory) throw std::bad_alloc();
  TORCH_CHECK(result.ok(), result.status().ToString());
  return *std::move(result);
}

template <typename Spec>
absl::StatusOr<int64_t> TakeK(Spec* spec, int64_t most = std::numeric_limits<int32_t>::max()) {
  if (!spec->has_k()) spec->set_k(kDefaultK);
  if (spec->k() >= 1 && spec->k() <= most) return spec->k();
  return InvalidArgument(reason::kConfigInvalid, "k is ", spec->k(), ", but must be 1 .. ", most);
}

// Theta as a bound of |cosine|, whatever it is: above 1, or NaN in a description, none is larger.
double CosineBound(double theta) { return std::isnan(theta) ? 1 : std::clamp(theta, -1.0, 1.0); }

Made OneUnit(int64_t result_bytes, OneUnitAnalysis::Work work) {
  return std::make_unique<OneUnitAnalysis>(result_bytes, std::move(work));
}

FactorCodes RowOf(const FactorCodes& codes, int64_t row) {
  return {codes.ids.narrow(0, row, 1), codes.values.narrow(0, row, 1)};
}

// float64 [k]: cosines of unit rows with a unit direction.
at::Tensor CosinesWith(const at::Tensor& rows, const at::Tensor& direction) {
  return at::mv(rows.to(at::kDouble), direction.to(at::kDouble)).clamp_(-1, 1);
}

// The factors of a decoder in form gram.
AnalysisOutput NearFactors(const at::Tensor& factors, const at::Tensor& decoder, double theta) {
  NearestRowsResult nearest = ValueOrThrow(NearestRows(factors, decoder, factors.size(0), theta));
  AnalysisOutput output;
  output.figures["l0"] = static_cast<double>(nearest.rows.numel());
  output.tensors = {{"factor", std::move(nearest.rows)}, {"cosine", std::move(nearest.cosines)}};
  return output;
}

// Decoders by their rows: ids, and cosines among them.
struct Block {
  at::Tensor features;  // int64 [k]
  at::Tensor units;     // float32 [k, d]
  at::Tensor cosines() const { return at::mm(units, units.t()).clamp_(-1, 1); }
};

struct Decoders {
  at::Tensor features;
  at::Tensor directions;
  Block BlockOf(const at::Tensor& rows) const {
    return {features.index_select(0, rows), directions.index_select(0, rows)};
  }
};

absl::StatusOr<Decoders> DecodersOf(const StoredFactorization& stored) {
  Decoders decoders;
  SUPERPOSE_ASSIGN_OR_RETURN(decoders.features, stored.Features());
  SUPERPOSE_ASSIGN_OR_RETURN(decoders.directions, stored.Directions());
  return decoders;
}

AnalysisOutput DecodersByCode(const Decoders& decoders, const at::Tensor& factors, const FactorCodes& codes,
                              int64_t factor, int64_t k) {
  AnalysisOutput of_rows = ValueOrThrow(RowsOfFactor(codes, factors.size(0), factor, k));
  const Block block = decoders.BlockOf(of_rows.tensors.at(0).second);
  AnalysisOutput output;
  output.figures["decoders"] = of_rows.figures.at("rows");
  output.tensors = {{"feature", block.features},
                    {"code", of_rows.tensors.at(1).second},
                    {"cosine", CosinesWith(block.units, factors[factor])},
                    {"block", block.cosines()}};
  return output;
}

AnalysisOutput DecodersByCosine(const Decoders& decoders, const at::Tensor& factor, int64_t k) {
  const NearestRowsResult nearest = ValueOrThrow(NearestRows(decoders.directions, factor, k));
  const Block block = decoders.BlockOf(nearest.rows);
  AnalysisOutput output;
  output.tensors = {{"feature", block.features}, {"cosine", nearest.cosines}, {"block", block.cosines()}};
  return output;
}

// Which measure; the form's own where none is named.
absl::StatusOr<v1::FactorMeasure> TakeMeasure(const StoredFactorization& stored, v1::DecodersOfFactorAnalysis* spec) {
  v1::FactorMeasure by = spec->by();
  if (!v1::FactorMeasure_IsValid(by)) {
    return InvalidArgument(reason::kConfigInvalid, "by has a value, ", static_cast<int>(by),
                           ", that this server does not know");
  }
  if (by == v1::FACTOR_MEASURE_UNSPECIFIED) {
    by = stored.has_codes() ? v1::FACTOR_MEASURE_CODE : v1::FACTOR_MEASURE_COSINE;
  }
  spec->set_by(by);
  return by;
}

}  // namespace

Made MakeFactorsOfDecoder(const FactorizationHandle& stored, v1::FactorsOfDecoderAnalysis* spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor directions, stored->Directions());
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t row, stored->RowOf(spec->feature()));
  const at::Tensor decoder = directions[row], factors = stored->factors();
  if (!stored->has_codes()) {
    const double theta = CosineBound(stored->facts().spec().theta());
    return OneUnit(factors.size(0) * 2 * kDoubleBytes, [=] { return NearFactors(factors, decoder, theta); });
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const FactorCodes codes, stored->Codes());
  const FactorCodes code = RowOf(codes, row);
  return OneUnit(code.ids.numel() * 3 * kDoubleBytes,
                 [=] { return ValueOrThrow(FactorsOfDecoder(decoder, factors, code)); });
}

Made MakeDecodersOfFactor(const FactorizationHandle& stored, v1::DecodersOfFactorAnalysis* spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t k, TakeK(spec, kMostInBlock));
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::FactorMeasure by, TakeMeasure(*stored, spec));
  SUPERPOSE_RETURN_IF_ERROR(stored->CheckFactor(spec->factor()));
  SUPERPOSE_ASSIGN_OR_RETURN(const Decoders decoders, DecodersOf(*stored));
  const int64_t factor = spec->factor(), found = std::min(k, decoders.features.numel());
  const int64_t bytes = found * 3 * kDoubleBytes + found * found * kFloatBytes;
  const at::Tensor factors = stored->factors();
  if (by == v1::FACTOR_MEASURE_COSINE) {
    return OneUnit(bytes, [=] { return DecodersByCosine(decoders, factors[factor], k); });
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const FactorCodes codes, stored->Codes());
  return OneUnit(bytes, [=] { return DecodersByCode(decoders, factors, codes, factor, k); });
}

Made MakeSharedFactors(const FactorizationHandle& stored, v1::SharedFactorsAnalysis* spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t k, TakeK(spec));
  SUPERPOSE_ASSIGN_OR_RETURN(const Decoders decoders, DecodersOf(*stored));
  SUPERPOSE_ASSIGN_OR_RETURN(const FactorCodes codes, stored->Codes());
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t row, stored->RowOf(spec->feature()));
  const int64_t factors = stored->facts().factors(), found = std::min(k, decoders.features.numel());
  return OneUnit(found * 4 * kDoubleBytes, [=] {
    AnalysisOutput of_rows = ValueOrThrow(RowsThatShareFactors(codes, factors, row, k));
    const Block block = decoders.BlockOf(of_rows.tensors.at(0).second);
    AnalysisOutput output;
    output.figures["decoders"] = of_rows.figures.at("rows");
    output.tensors = {{"feature", block.features},
                      {"shared", of_rows.tensors.at(1).second},
                      {"overlap", of_rows.tensors.at(2).second},
                      {"cosine", CosinesWith(block.units, decoders.directions[row])}};
    return output;
  });
}

}  // namespace superpose
