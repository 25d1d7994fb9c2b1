// A midcoder: a trained map from a transcoder's activations z to the hidden layer of the MLP that the transcoder
// replaces.
//   a = z W_mid + b_mid;  mid = a (form d_mlp) or a W_in + b_in (form d_model)
//   gate = 1[mid > 0];    mlp_out = (gate * mid) W_out + b_mid_out
// With gate "model" the hidden layer is act(mid), the model's own activation function, in place of gate * mid.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

enum class MidForm { kDMlp, kDModel };
enum class MidGate { kRelu, kModel };

struct MidcoderParameters {
  at::Tensor W_mid;      // [d_sae, d_mlp] or [d_sae, d_model]
  at::Tensor b_mid;      // [d_mlp] or [d_model]
  at::Tensor b_mid_out;  // [d_model]
};

struct MidcoderOutput {
  at::Tensor mid;      // [rows, d_mlp]
  at::Tensor mlp_out;  // [rows, d_model]
};

class Midcoder {
 public:
  Midcoder(MidForm form, MidGate gate, int64_t layer, MidcoderParameters parameters)
      : form_(form), gate_(gate), layer_(layer), parameters_(std::move(parameters)) {}
  // All parameters zero: where training starts.
  static Midcoder Zero(MidForm form, MidGate gate, int64_t layer, const Model& model, int64_t d_sae);
  // From tensors W_mid, b_mid, b_mid_out (float32); TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE.
  static absl::StatusOr<Midcoder> FromTensors(MidForm form, MidGate gate, int64_t layer, const Model& model,
                                              int64_t d_sae, const TensorMap& tensors);

  MidForm form() const { return form_; }
  MidGate gate() const { return gate_; }
  int64_t layer() const { return layer_; }
  const MidcoderParameters& parameters() const { return parameters_; }
  MidcoderParameters& parameters() { return parameters_; }
  TensorMap tensors() const;

  // Inference for rows of activations. May throw what LibTorch throws: call inside CatchTorch.
  MidcoderOutput Apply(const Model& model, const SparseActivations& activations) const;
  // Its parts: mid of the activations, the hidden layer of mid, and mlp_out of the hidden layer.
  at::Tensor Mid(const Model& model, const SparseActivations& activations) const;
  at::Tensor Hidden(const Model& model, const at::Tensor& mid) const;
  at::Tensor Output(const Model& model, const at::Tensor& hidden) const;

 private:
  MidForm form_;
  MidGate gate_;
  int64_t layer_;
  MidcoderParameters parameters_;
};

}  // namespace superpose
