#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "lib/statistics/analysis/decoder_rows.h"

namespace superpose {

// Decoders as the midcoder predicts them. Rows are NaN for features that were never active, except with kNoGate; with
// kGaussian, hidden units without a gate probability take no part. As MakeDecoderRows.
absl::StatusOr<std::unique_ptr<DecoderRows>> MakePredictedDecoderRows(const AnalysisInputs& inputs,
                                                                      PredictionMethod method,
                                                                      const at::Tensor& features);

// (c * W_eff) W_out, float32 [k, d_model]. c: [k, d_mlp] of any floating-point type. May throw what LibTorch throws.
at::Tensor DecodersOf(const at::Tensor& c, const at::Tensor& W_eff, const at::Tensor& W_out);

}  // namespace superpose
