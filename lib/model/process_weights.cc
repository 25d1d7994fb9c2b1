#include "lib/model/process_weights.h"

#include <ATen/ATen.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace superpose {
namespace {

struct Linear {
  at::Tensor weight;  // [in, out]
  at::Tensor bias;    // [out]
};

at::Tensor CentredOver(const at::Tensor& tensor, int64_t dimension) {
  return tensor - tensor.mean({dimension}, /*keepdim=*/true);
}

// A linear layer that reads a normalised residual: takes over the layer norm's gain and shift, and, since its input has
// mean zero over d_model, loses the part of its weights that only the mean could see.
Linear FoldNorm(const Linear& linear, const at::Tensor& gain, const at::Tensor& shift) {
  return {CentredOver(linear.weight * gain.unsqueeze(1), 0), linear.bias + at::matmul(shift, linear.weight)};
}

// A linear layer that writes to the residual stream: a layer norm reads it next, so its mean over d_model is dropped.
Linear CentreOutput(const Linear& linear) { return {CentredOver(linear.weight, 1), CentredOver(linear.bias, 0)}; }

class Processor {
 public:
  Processor(const TensorMap& raw, const ModelConfig& config) : raw_(raw), config_(config) {}

  TensorMap Run() {
    Keep("W_E", CentredOver(Raw("wte.weight"), 1));
    Keep("W_pos", CentredOver(Raw("wpe.weight"), 1));
    for (int64_t layer = 0; layer < config_.n_layers; ++layer) ProcessLayer(layer);
    ProcessUnembedding();
    return std::move(processed_);
  }

 private:
  at::Tensor Raw(const std::string& name) const { return raw_.at(name).to(at::kDouble); }
  Linear RawLinear(const std::string& name) const { return {Raw(name + ".weight"), Raw(name + ".bias")}; }
  void Keep(const std::string& name, const at::Tensor& tensor) {
    processed_[name] = tensor.to(at::kFloat).contiguous();
  }

  void ProcessLayer(int64_t layer) {
    std::string h = absl::StrCat("h.", layer, ".");
    std::string block = absl::StrCat("blocks.", layer, ".");
    Linear qkv = FoldNorm(RawLinear(h + "attn.c_attn"), Raw(h + "ln_1.weight"), Raw(h + "ln_1.bias"));
    Linear out = CentreOutput(RawLinear(h + "attn.c_proj"));
    // Attention patterns sum to one, so the value bias reaches the output unchanged and can be added there.
    at::Tensor value_bias = qkv.bias.slice(0, 2 * config_.d_model);
    out.bias = out.bias + at::matmul(value_bias, out.weight);
    value_bias.zero_();
    Linear in = FoldNorm(RawLinear(h + "mlp.c_fc"), Raw(h + "ln_2.weight"), Raw(h + "ln_2.bias"));
    Linear mlp_out = CentreOutput(RawLinear(h + "mlp.c_proj"));
    KeepLinear(block, "QKV", qkv);
    KeepLinear(block, "O", out);
    KeepLinear(block, "in", in);
    KeepLinear(block, "out", mlp_out);
  }

  void KeepLinear(const std::string& block, const char* name, const Linear& linear) {
    Keep(absl::StrCat(block, "W_", name), linear.weight);
    Keep(absl::StrCat(block, "b_", name), linear.bias);
  }

  void ProcessUnembedding() {
    at::Tensor unembedding = Raw(raw_.count("lm_head.weight") > 0 ? "lm_head.weight" : "wte.weight").t();
    Linear folded =
        FoldNorm({unembedding, at::zeros({config_.vocab_size}, at::kDouble)}, Raw("ln_f.weight"), Raw("ln_f.bias"));
    Keep("W_U", CentredOver(folded.weight, 1));
    Keep("b_U", CentredOver(folded.bias, 0));
  }

  const TensorMap& raw_;
  const ModelConfig& config_;
  TensorMap processed_;
};

}  // namespace

TensorMap ProcessWeights(const TensorMap& raw, const ModelConfig& config) { return Processor(raw, config).Run(); }

}  // namespace superpose
