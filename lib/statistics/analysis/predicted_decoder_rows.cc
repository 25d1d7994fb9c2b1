#include "lib/statistics/analysis/predicted_decoder_rows.h"

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/kernels/dense_ops.h"
#include "lib/statistics/analysis/effective_weights.h"
#include "lib/statistics/analysis/gaussian_gate.h"
#include "lib/statistics/analysis/noise_moments.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

// c is numerator / denominator by row.
struct Ratio {
  at::Tensor numerator;    // [f, d_mlp]
  at::Tensor denominator;  // [f]
};

struct GaussianGate {
  NoiseMoments moments;
  at::Tensor histogram;  // [f, 32]
};

// What c comes from: one of the two, or neither where there is no gate.
struct GateSums {
  std::optional<Ratio> ratio;
  std::optional<GaussianGate> gaussian;
};

absl::StatusOr<Ratio> TakeRatio(const SnapshotData& snapshot, const char* numerator) {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor sums, snapshot.Tensor(numerator));
  return Ratio{std::move(sums), snapshot.ActCounts()};
}

absl::StatusOr<Ratio> TakeLeastSquares(const SnapshotData& snapshot) {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor sums, snapshot.Tensor("act_sq_gate_sum"));
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor squares, snapshot.Tensor("act_sq_sum"));
  return Ratio{std::move(sums), std::move(squares)};
}

absl::StatusOr<GaussianGate> TakeGaussian(const AnalysisInputs& inputs) {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor histogram, ActivationHistogram(*inputs.snapshot));
  SUPERPOSE_ASSIGN_OR_RETURN(NoiseMoments moments, NoiseMoments::Create(inputs, NoiseFormula::kConditional));
  return GaussianGate{std::move(moments), std::move(histogram)};
}

absl::StatusOr<GateSums> TakeGateSums(const AnalysisInputs& inputs, PredictionMethod method) {
  GateSums sums;
  switch (method) {
    case PredictionMethod::kActGate: {
      SUPERPOSE_ASSIGN_OR_RETURN(sums.ratio, TakeRatio(*inputs.snapshot, "act_gate_sum"));
      break;
    }
    case PredictionMethod::kGate: {
      SUPERPOSE_ASSIGN_OR_RETURN(sums.ratio, TakeRatio(*inputs.snapshot, "gate_act_counts"));
      break;
    }
    case PredictionMethod::kLeastSquares: {
      SUPERPOSE_ASSIGN_OR_RETURN(sums.ratio, TakeLeastSquares(*inputs.snapshot));
      break;
    }
    case PredictionMethod::kGaussian: {
      SUPERPOSE_ASSIGN_OR_RETURN(sums.gaussian, TakeGaussian(inputs));
      break;
    }
    case PredictionMethod::kNoGate:
      break;
  }
  return sums;
}

class PredictedDecoders final : public DecoderRows {
 public:
  PredictedDecoders(EffectiveWeights weights, GateSums sums, at::Tensor W_out, at::Tensor features, at::Tensor rows)
      : weights_(std::move(weights)),
        sums_(std::move(sums)),
        W_out_(std::move(W_out)),
        features_(std::move(features)),
        rows_(std::move(rows)) {}

  at::Tensor Rows(const at::Tensor& which) const override {
    const at::Tensor W_eff = weights_.Rows(features_.index_select(0, which));
    if (!rows_.defined()) return Multiply(W_eff, W_out_);
    return DecodersOf(Coefficients(rows_.index_select(0, which), W_eff), W_eff, W_out_);
  }
  // The normal distribution at every bin of the histogram costs several times what the product does.
  int64_t entries_per_row() const override { return W_out_.size(0) * (sums_.gaussian.has_value() ? 4 : 1); }

 private:
  // float64 [k, d_mlp].
  at::Tensor Coefficients(const at::Tensor& rows, const at::Tensor& W_eff) const {
    if (sums_.gaussian.has_value()) {
      const GaussianGate& gate = *sums_.gaussian;
      return GaussianGateProbability(gate.moments.Rows(rows, W_eff), W_eff, gate.histogram.index_select(0, rows));
    }
    const at::Device device = W_eff.device();
    return TakeRows(sums_.ratio->numerator, rows, device)
        .div_(TakeRows(sums_.ratio->denominator, rows, device).unsqueeze(1));
  }

  EffectiveWeights weights_;
  GateSums sums_;
  at::Tensor W_out_;
  at::Tensor features_;
  at::Tensor rows_;  // of the snapshot; undefined without a gate, when nothing of it is read
};

}  // namespace

absl::StatusOr<std::unique_ptr<DecoderRows>> MakePredictedDecoderRows(const AnalysisInputs& inputs,
                                                                      PredictionMethod method,
                                                                      const at::Tensor& features) {
  SUPERPOSE_ASSIGN_OR_RETURN(EffectiveWeights weights, EffectiveWeights::Create(inputs));
  SUPERPOSE_ASSIGN_OR_RETURN(GateSums sums, TakeGateSums(inputs, method));
  at::Tensor rows;
  if (method != PredictionMethod::kNoGate) {
    SUPERPOSE_ASSIGN_OR_RETURN(rows, inputs.snapshot->RowsOf(features));
  }
  return std::make_unique<PredictedDecoders>(std::move(weights), std::move(sums),
                                             inputs.model->layer_tensor(inputs.layer, "W_out"), features,
                                             std::move(rows));
}

at::Tensor DecodersOf(const at::Tensor& c, const at::Tensor& W_eff, const at::Tensor& W_out) {
  return Multiply((c * W_eff).to(at::kFloat), W_out);
}

}  // namespace superpose
