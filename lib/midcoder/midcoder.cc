#include "lib/midcoder/midcoder.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/dense_ops.h"
#include "lib/kernels/sparse_ops.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {
namespace {

int64_t MidWidth(MidForm form, const Model& model) {
  return form == MidForm::kDMlp ? model.config().d_mlp : model.config().d_model;
}

// The tensor as float32 of its own on `device`.
absl::StatusOr<at::Tensor> Take(const TensorMap& tensors, const std::string& name, at::IntArrayRef shape,
                                at::Device device) {
  const auto found = tensors.find(name);
  if (found == tensors.end())
    return InvalidArgument(reason::kTensorMissing, "a midcoder has a tensor ", name, "; there is none");
  const at::Tensor& tensor = found->second;
  if (tensor.sizes() != shape || !tensor.is_floating_point()) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " is ", at::toString(tensor.scalar_type()), " [",
                           absl::StrJoin(tensor.sizes(), ", "), "]; a floating-point tensor [",
                           absl::StrJoin(shape, ", "), "] is wanted");
  }
  at::Tensor copy = tensor.to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/true).contiguous();
  if (!AllFinite(copy)) {
    return InvalidArgument(reason::kTensorNotFinite, name, " holds values that are NaN or infinite in float32");
  }
  return copy;
}

}  // namespace

Midcoder Midcoder::Zero(MidForm form, MidGate gate, int64_t layer, const Model& model, int64_t d_sae) {
  const int64_t width = MidWidth(form, model);
  const auto options = at::TensorOptions(model.device()).dtype(at::kFloat);
  return Midcoder(
      form, gate, layer,
      {at::zeros({d_sae, width}, options), at::zeros({width}, options), at::zeros({model.config().d_model}, options)});
}

absl::StatusOr<Midcoder> Midcoder::FromTensors(MidForm form, MidGate gate, int64_t layer, const Model& model,
                                               int64_t d_sae, const TensorMap& tensors) {
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(layer));
  return CatchTorch([&]() -> absl::StatusOr<Midcoder> {
    const int64_t width = MidWidth(form, model);
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor W_mid, Take(tensors, "W_mid", {d_sae, width}, model.device()));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor b_mid, Take(tensors, "b_mid", {width}, model.device()));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor b_mid_out,
                               Take(tensors, "b_mid_out", {model.config().d_model}, model.device()));
    return Midcoder(form, gate, layer, {std::move(W_mid), std::move(b_mid), std::move(b_mid_out)});
  });
}

TensorMap Midcoder::tensors() const {
  return {{"W_mid", parameters_.W_mid}, {"b_mid", parameters_.b_mid}, {"b_mid_out", parameters_.b_mid_out}};
}

at::Tensor Midcoder::Mid(const Model& model, const SparseActivations& activations) const {
  const at::Tensor a = SparseTimesDense(activations, parameters_.W_mid, parameters_.b_mid);
  return form_ == MidForm::kDMlp ? a : model.MlpPreActivation(layer_, a);
}

at::Tensor Midcoder::Hidden(const Model& model, const at::Tensor& mid) const {
  return gate_ == MidGate::kRelu ? mid.relu() : model.MlpActivation(mid);
}

at::Tensor Midcoder::Output(const Model& model, const at::Tensor& hidden) const {
  at::Tensor out = at::empty({hidden.size(0), model.config().d_model}, hidden.options());
  LinearInto(hidden, model.layer_tensor(layer_, "W_out"), parameters_.b_mid_out, LinearEnd::kNothing, out);
  return out;
}

MidcoderOutput Midcoder::Apply(const Model& model, const SparseActivations& activations) const {
  at::Tensor mid = Mid(model, activations);
  at::Tensor mlp_out = Output(model, Hidden(model, mid));
  return {std::move(mid), std::move(mlp_out)};
}

}  // namespace superpose
