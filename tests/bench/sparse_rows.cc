#include "tests/bench/sparse_rows.h"

#include <ATen/ATen.h>

#include <tuple>

#include "lib/kernels/sparse_ops.h"
#include "lib/midcoder/midcoder.h"

namespace superpose {
namespace {

constexpr double kFloatBytes = sizeof(float);

// out[i] = sum over entries splits[i] .. splits[i + 1] of values * table[ids], in LibTorch's own way.
at::Tensor EmbeddingBag(const at::Tensor& table, const at::Tensor& splits, const at::Tensor& ids,
                        const at::Tensor& values) {
  return std::get<0>(at::embedding_bag(table, ids, splits, /*scale_grad_by_freq=*/false, /*mode=*/0, /*sparse=*/false,
                                       values, /*include_last_offset=*/true));
}

TensorMap Csr(const SparseActivations& z) {
  return {{"row_splits", z.row_splits}, {"feature_ids", z.feature_ids}, {"values", z.values}};
}

class WMidForward : public BenchRow {
 public:
  explicit WMidForward(const BenchInputs& inputs)
      : z_(Must(inputs.transcoder->Encode(inputs.rows.x_hat))),
        ids_(z_.feature_ids.to(at::kLong)),
        midcoder_(RandomMidcoder(inputs)->parameters()) {}

  // The bias is in the row's time, and in neither of the two that ratio_embedding_bag compares.
  Repetition Run() override {
    const double seconds = SecondsOf([&] { Product(); });
    const double own = SecondsOf([&] { SparseTimesDense(z_, midcoder_.W_mid, {}); });
    const double bag = SecondsOf([&] { EmbeddingBag(midcoder_.W_mid, z_.row_splits, ids_, z_.values); });
    return {seconds, {{"ratio_embedding_bag", bag / own}, {"bytes", BytesMoved()}}};
  }
  TensorMap Inputs() override {
    TensorMap tensors = Csr(z_);
    tensors["W_mid"] = midcoder_.W_mid;
    tensors["b_mid"] = midcoder_.b_mid;
    return tensors;
  }
  TensorMap Result() override { return {{"mid", Product()}}; }

 private:
  at::Tensor Product() const { return SparseTimesDense(z_, midcoder_.W_mid, midcoder_.b_mid); }
  // A row of W_mid for each entry, and the product.
  double BytesMoved() const {
    const auto rows = static_cast<double>(z_.entries() + z_.rows());
    return rows * static_cast<double>(midcoder_.W_mid.size(1)) * kFloatBytes;
  }

  const SparseActivations z_;
  const at::Tensor ids_;
  const MidcoderParameters midcoder_;
};

class WMidGradientAdamW : public BenchRow {
 public:
  explicit WMidGradientAdamW(const BenchInputs& inputs)
      : z_(Must(inputs.transcoder->Encode(inputs.rows.x_hat))),
        gradient_rows_(inputs.rows.pre * (2.0 / static_cast<double>(inputs.rows.pre.numel()))),
        start_(RandomMidcoder(inputs)->parameters().W_mid),
        parameter_(start_.clone()),
        exp_avg_(at::zeros_like(start_)),
        exp_avg_sq_(at::zeros_like(start_)) {}

  // Transposition is in the row's time, and in neither of the two that ratio_embedding_bag compares.
  Repetition Run() override {
    TransposedActivations transposed;
    const double transposition = SecondsOf([&] { transposed = Transpose(z_); });
    const double own = SecondsOf([&] { Update(transposed); });
    const at::Tensor rows = transposed.rows.to(at::kLong);
    const double bag = SecondsOf([&] { UpdateByBag(transposed, rows); });
    return {transposition + own, {{"ratio_embedding_bag", bag / own}, {"bytes", BytesMoved()}}};
  }
  TensorMap Inputs() override {
    TensorMap tensors = Csr(z_);
    tensors["gradient_rows"] = gradient_rows_;
    tensors["W_mid"] = start_;
    return tensors;
  }
  TensorMap Result() override {
    parameter_.copy_(start_);
    exp_avg_.zero_();
    exp_avg_sq_.zero_();
    steps_ = 0;
    for (int step = 0; step < 2; ++step) Update(Transpose(z_));
    return {{"update", parameter_ - start_}, {"exp_avg", exp_avg_}, {"exp_avg_sq", exp_avg_sq_}};
  }

 private:
  void Update(const TransposedActivations& transposed) {
    SparseGradientAdamW(transposed, gradient_rows_, 0, z_.d_sae, parameter_, exp_avg_, exp_avg_sq_, {.step = ++steps_});
  }
  void UpdateByBag(const TransposedActivations& transposed, const at::Tensor& rows) {
    const AdamWSettings settings{.step = ++steps_};
    const at::Tensor gradient = EmbeddingBag(gradient_rows_, transposed.feature_splits, rows, transposed.values);
    const at::Tensor step = at::full({}, static_cast<double>(settings.step));
    at::_fused_adamw_({parameter_}, {gradient}, {exp_avg_}, {exp_avg_sq_}, {}, {step}, settings.lr, settings.beta1,
                      settings.beta2, settings.weight_decay, settings.eps, /*amsgrad=*/false, /*maximize=*/false);
  }
  // A gradient row for each entry; parameter and moments read and written.
  double BytesMoved() const {
    const auto width = static_cast<double>(parameter_.size(1));
    return static_cast<double>(z_.entries() + 6 * z_.d_sae) * width * kFloatBytes;
  }

  const SparseActivations z_;
  const at::Tensor gradient_rows_;
  const at::Tensor start_;
  const at::Tensor parameter_, exp_avg_, exp_avg_sq_;
  int64_t steps_ = 0;
};

}  // namespace

void AddSparseRows(RowMakers& makers) {
  makers["w_mid_forward"] = Makes<WMidForward>();
  makers["w_mid_gradient_adamw"] = Makes<WMidGradientAdamW>();
}

}  // namespace superpose
