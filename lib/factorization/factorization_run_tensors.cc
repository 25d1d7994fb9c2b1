// What FactorizationRun made, as tensors.
#include <ATen/ATen.h>

#include "lib/base/torch_guard.h"
#include "lib/factorization/factorization_run.h"

namespace superpose {
namespace {

at::Tensor LossColumn(const std::vector<FactorizerLoss>& history, double FactorizerLoss::* column) {
  at::Tensor values = at::empty({static_cast<int64_t>(history.size())}, at::kDouble);
  auto* value = values.mutable_data_ptr<double>();
  for (const FactorizerLoss& loss : history) *value++ = loss.*column;
  return values;
}

// Of the decoders fitted on, then of those held out.
at::Tensor OfAll(const FactorizationQuality& quality, at::Tensor Explanation::* part) {
  if (!quality.held_out.has_value()) return quality.fitted.*part;
  return at::cat({quality.fitted.*part, (*quality.held_out).*part});
}

}  // namespace

absl::StatusOr<TensorMap> FactorizationRun::ResultTensors() const {
  return CatchTorch([&]() -> absl::StatusOr<TensorMap> {
    const FactorizationQuality& measured = quality();
    TensorMap tensors = {{"factors", factors_},
                         {"parameter", parameter_},
                         {"directions", directions_},
                         {"error", OfAll(measured, &Explanation::error)},
                         {"cosine", OfAll(measured, &Explanation::cosine)},
                         {"l0", OfAll(measured, &Explanation::counts)},
                         {"uses", measured.fitted.uses},
                         {"nearest", measured.similarity.nearest},
                         {"nearest_cosine", measured.similarity.closeness},
                         {"cosine_histogram", measured.similarity.histogram}};
    if (config_.factorizer.form == FactorForm::kTopK) {
      tensors["code_factors"] = OfAll(measured, &Explanation::ids);
      tensors["code_values"] = OfAll(measured, &Explanation::values);
    }
    AddStabilityTo(&tensors);
    if (history_.empty()) return tensors;
    tensors["loss"] = LossColumn(history_, &FactorizerLoss::loss);
    tensors["decoder_loss"] = LossColumn(history_, &FactorizerLoss::decoder_loss);
    tensors["factor_loss"] = LossColumn(history_, &FactorizerLoss::factor_loss);
    tensors["lr"] = LossColumn(history_, &FactorizerLoss::lr);
    return tensors;
  });
}

}  // namespace superpose
