// Sparse codes on factors, and what they say of decoders and each other: decoder_i ~ sum over c of values[i, c]
// F[ids[i, c]].
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

// As CodePursuit gives them, on the CPU.
struct FactorCodes {
  at::Tensor ids;     // int32 [n, c]; -1 in places that are not used
  at::Tensor values;  // float32 [n, c]
};

// TENSOR_SHAPE_MISMATCH (shapes or types; an id that is not in -1 .. factors - 1), TENSOR_NOT_FINITE.
absl::Status CheckFactorCodes(const FactorCodes& codes, int64_t factors);

// All of these have the errors of CheckFactorCodes, and CONFIG_INVALID for a k under 1 or a row or factor that is not
// there. They take a few milliseconds. Ties go to the smaller index.

// The factors of a decoder, by |code|. decoder: [d], factors: [m, d], floating point; code: one row of codes. Tensors
// factor int64 [c], code float64 [c], cosine float64 [c] (of the decoder and the factor). Figures: l0 = c, cosine (of
// decoder and sum), norm_ratio = |sum| / |decoder|, error = |decoder - sum|^2 / |decoder|^2; a cosine or ratio that is
// not defined (no factors, a decoder of length 0) is left out, and tensors have NaN, counted in `undefined`. Then
// TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE of decoder and factors.
absl::StatusOr<AnalysisOutput> FactorsOfDecoder(const at::Tensor& decoder, const at::Tensor& factors,
                                                const FactorCodes& code);

// The k rows that use a factor most, by |code|. Tensors row int64 [r], code float64 [r]. Figures: rows, how many use
// it.
absl::StatusOr<AnalysisOutput> RowsOfFactor(const FactorCodes& codes, int64_t factors, int64_t factor, int64_t k);

// The k rows that share factors with a row, by |overlap|; overlap = sum over factors a_f b_f / (|a| |b|), the cosine of
// their codes a and b. Rows that share none are left out, and so is the row itself. Tensors row int64 [r], shared int64
// [r] (factors in common), overlap float64 [r]. Figures: rows, how many share at least one.
absl::StatusOr<AnalysisOutput> RowsThatShareFactors(const FactorCodes& codes, int64_t factors, int64_t row, int64_t k);

}  // namespace superpose
