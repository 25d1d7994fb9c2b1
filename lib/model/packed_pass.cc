#include "lib/model/packed_pass.h"

#include <ATen/ATen.h>

#include <numeric>

#include "absl/strings/str_cat.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {

PackedPass::PackedPass(const Model& model, const std::vector<const TokenSequence*>& sequences) : model_(model) {
  std::vector<int64_t> tokens, positions;
  for (const TokenSequence* sequence : sequences) {
    lengths_.push_back(static_cast<int64_t>(sequence->size()));
    tokens.insert(tokens.end(), sequence->begin(), sequence->end());
    positions.resize(tokens.size());
    std::iota(positions.end() - static_cast<std::ptrdiff_t>(sequence->size()), positions.end(), int64_t{0});
  }
  const auto rows_of = [&](const char* table, const std::vector<int64_t>& rows) {
    return model.tensor(table).index_select(0, at::tensor(rows, at::kLong).to(model.device()));
  };
  resid_ = rows_of("W_E", tokens).add_(rows_of("W_pos", positions));
}

void PackedPass::Apply(const char* name, const at::Tensor& x, const at::Tensor& out) const {
  LinearInto(x, model_.layer_tensor(layer_, absl::StrCat("W_", name)),
             model_.layer_tensor(layer_, absl::StrCat("b_", name)), LinearEnd::kNothing, out);
}

at::Tensor PackedPass::NextMlpInput() {
  const ModelConfig& config = model_.config();
  const int64_t rows = resid_.size(0);
  const at::Tensor mixed = workspace_.Narrow(rows, config.d_model, resid_.options());
  NormalizeRowsInto(resid_, config.layer_norm_epsilon, mixed);
  const at::Tensor qkv = workspace_.Wide(rows, 3 * config.d_model, resid_.options());
  Apply("QKV", mixed, qkv);
  double scale = config.attention_scale;
  if (config.scale_attention_by_inverse_layer) scale /= static_cast<double>(layer_ + 1);
  int64_t begin = 0;
  for (const int64_t length : lengths_) {
    CausalAttentionInto(qkv.narrow(0, begin, length).unsqueeze(0), config.n_heads, scale,
                        mixed.narrow(0, begin, length).unsqueeze(0));
    begin += length;
  }
  const at::Tensor out = workspace_.Wide(rows, config.d_model, resid_.options());
  Apply("O", mixed, out);
  resid_.add_(out);
  at::Tensor x_hat = at::empty_like(resid_);
  NormalizeRowsInto(resid_, config.layer_norm_epsilon, x_hat);
  return x_hat;
}

void PackedPass::FinishLayer(const at::Tensor& x_hat, size_t sequences) {
  lengths_.resize(sequences);
  const int64_t rows = std::accumulate(lengths_.begin(), lengths_.end(), int64_t{0});
  resid_ = resid_.narrow(0, 0, rows);
  resid_.add_(model_.MlpOutput(layer_, model_.MlpPreActivation(layer_, x_hat.narrow(0, 0, rows))));
  ++layer_;
}

}  // namespace superpose
