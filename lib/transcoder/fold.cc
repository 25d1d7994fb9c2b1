#include "lib/transcoder/fold.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace superpose {
namespace {

constexpr int64_t kRowsAtOnce = 64;

// body(rows begin .. end of the matrix in float64, begin, end) -> what stands in their place. Float64 of a whole
// encoder would be twice its size.
template <typename Body>
at::Tensor MapRows(const at::Tensor& matrix, const Body& body) {
  at::Tensor result = at::empty(matrix.sizes(), at::kFloat);
  for (int64_t begin = 0; begin < matrix.size(0); begin += kRowsAtOnce) {
    const int64_t end = std::min(begin + kRowsAtOnce, matrix.size(0));
    result.slice(0, begin, end).copy_(body(matrix.slice(0, begin, end).to(at::kDouble), begin, end));
  }
  return result;
}

// A matrix that reads x_hat gain + bias, [d_model, n], becomes one that reads x_hat. `shift` [n] is what the bias alone
// gives: it goes into the bias of what the matrix computes.
struct WithoutGain {
  at::Tensor matrix;
  at::Tensor shift;
};
WithoutGain FoldGain(const at::Tensor& matrix, const at::Tensor& gain, const at::Tensor& bias) {
  at::Tensor shift = at::zeros({matrix.size(1)}, at::kDouble);
  at::Tensor folded = MapRows(matrix, [&](const at::Tensor& rows, int64_t begin, int64_t end) {
    shift.add_(at::matmul(bias.slice(0, begin, end), rows));
    return rows * gain.slice(0, begin, end).unsqueeze(1);
  });
  return {folded, shift};
}

void FoldInput(const LayerNorm& norm, TranscoderFile& file) {
  TensorMap& tensors = file.tensors;
  at::Tensor bias = norm.bias;
  if (file.convention.subtracts_input_bias) bias = bias - tensors.at("b_dec").to(at::kDouble);
  // scale (x gain + bias) is an input after another gain and bias.
  const double scale = file.convention.activation_scale;
  const WithoutGain encoder = FoldGain(tensors.at("W_enc"), norm.gain * scale, bias * scale);
  tensors["W_enc"] = encoder.matrix;
  tensors["b_enc"] = tensors.at("b_enc").to(at::kDouble) + encoder.shift;
  file.convention.folded.emplace_back("gain and bias of the layer norm into W_enc and b_enc");
  if (file.convention.subtracts_input_bias) file.convention.folded.emplace_back("b_dec into b_enc");
  if (file.convention.has_skip) {
    const WithoutGain skip = FoldGain(tensors.at("W_skip"), norm.gain, norm.bias);
    tensors["W_skip"] = skip.matrix;
    tensors["b_dec_out"] = tensors.at("b_dec_out").to(at::kDouble) + skip.shift;
    file.convention.folded.emplace_back("gain and bias of the layer norm into W_skip and b_dec_out");
  }
  tensors.erase("b_dec");
  tensors["norm_gain"] = norm.gain;
  tensors["norm_bias"] = norm.bias;
}

void MultiplyRows(const std::string& name, double factor, TensorMap& tensors) {
  tensors[name] = MapRows(tensors.at(name), [&](const at::Tensor& rows, int64_t, int64_t) { return rows * factor; });
}

// (factor rows) minus their means.
void CentreRows(const std::string& name, double factor, TensorMap& tensors) {
  at::Tensor means = at::empty({tensors.at(name).size(0)}, at::kFloat);
  tensors[name] = MapRows(tensors.at(name), [&](const at::Tensor& unscaled, int64_t begin, int64_t end) {
    const at::Tensor rows = unscaled * factor;
    const at::Tensor mean = rows.mean({1}, /*keepdim=*/true);
    means.slice(0, begin, end).copy_(mean.squeeze(1));
    return rows - mean;
  });
  tensors[name + "_mean"] = means;
}

void FoldTarget(TranscoderFile& file) {
  TensorMap& tensors = file.tensors;
  CentreRows("W_dec", 1 / file.convention.activation_scale, tensors);
  const at::Tensor bias = tensors.at("b_dec_out").to(at::kDouble);
  tensors["b_dec_out"] = bias - bias.mean();
  tensors["b_dec_out_mean"] = bias.mean().view({1});
  file.convention.folded.emplace_back("the mean over d_model out of W_dec and b_dec_out");
  if (!file.convention.has_skip) return;
  CentreRows("W_skip", 1, tensors);
  file.convention.folded.emplace_back("the mean over d_model out of W_skip");
}

// Of the scale, what FoldInput and FoldTarget have no pass over the rows for.
void FoldScale(TranscoderFile& file) {
  const double scale = file.convention.activation_scale;
  TensorMap& tensors = file.tensors;
  tensors["b_dec_out"] = tensors.at("b_dec_out").to(at::kDouble) / scale;
  if (file.convention.input == TranscoderInput::kBeforeGain) MultiplyRows("W_enc", scale, tensors);
  if (file.convention.centred_target) MultiplyRows("W_dec", 1 / scale, tensors);
  file.convention.folded.push_back(absl::StrCat("the activations' scale ", scale, " into W_enc, W_dec and b_dec_out"));
}

}  // namespace

TranscoderFile FoldToMemoryForm(const TranscoderFile& file, const LayerNorm& norm) {
  TranscoderFile folded = file;
  if (file.convention.activation_scale != 1) FoldScale(folded);
  if (file.convention.input == TranscoderInput::kAfterGain) FoldInput(norm, folded);
  if (!file.convention.centred_target) FoldTarget(folded);
  const at::Tensor& bias = folded.tensors.at("b_dec_out");
  if (folded.tensors.count("b_dec") == 0) folded.tensors["b_dec"] = at::zeros({bias.numel()}, at::kFloat);
  for (auto& [name, tensor] : folded.tensors) tensor = tensor.to(at::kFloat).contiguous();
  return folded;
}

}  // namespace superpose
