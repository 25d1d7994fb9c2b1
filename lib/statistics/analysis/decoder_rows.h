// Decoders of chosen features, real or as a midcoder predicts them, worked out a block of rows at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

enum class DecoderKind { kReal, kPredicted };

// What c is in decoder_i ~ (c_i * W_eff[i]) W_out.
enum class PredictionMethod {
  kActGate,       // E[z g | z>0]
  kGate,          // P(g | z>0)
  kLeastSquares,  // E[z^2 g] / E[z^2]
  kGaussian,      // P(g | z>0) under the Gaussian noise model
  kNoGate,        // 1
};

// Which decoders a question is about.
struct DecoderChoice {
  DecoderKind kind = DecoderKind::kReal;
  PredictionMethod method = PredictionMethod::kActGate;
};

// Work of a unit: with 3,072 hidden units the products of 256 rows.
inline constexpr int64_t kDecoderUnitEntries = int64_t{256} * 3072;

class DecoderRows {
 public:
  virtual ~DecoderRows() = default;
  // Decoders of features[which], float32 [k, d_model] on the model's device; NaN where not defined. which: int64 [k] on
  // the CPU. May throw what LibTorch throws.
  virtual at::Tensor Rows(const at::Tensor& which) const = 0;
  // What a row costs, in the measure of kDecoderUnitEntries.
  virtual int64_t entries_per_row() const = 0;
};

// features: int64 [n] on the CPU. SNAPSHOT_TENSOR_MISSING (features, groups or parameters that the snapshot lacks),
// FEATURE_OUT_OF_RANGE. Call inside CatchTorch.
absl::StatusOr<std::unique_ptr<DecoderRows>> MakeDecoderRows(const AnalysisInputs& inputs, const DecoderChoice& choice,
                                                             const at::Tensor& features);

// int64 [length] on the CPU: start, start + 1, ..
at::Tensor Consecutive(int64_t start, int64_t length);

// float64: rows of length 1; NaN for zero rows.
at::Tensor UnitRows(const at::Tensor& rows);

// Row by row, float64 [k] on the rows' device: cosine of a and b, and |a| / |b|. NaN where not defined.
struct RowComparison {
  at::Tensor cosine;
  at::Tensor norm_ratio;
};
RowComparison CompareRows(const at::Tensor& a, const at::Tensor& b);

}  // namespace superpose
