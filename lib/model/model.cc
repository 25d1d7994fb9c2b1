#include "lib/model/model.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/model/process_weights.h"
#include "lib/model/raw_weights.h"
#include "lib/tensor_io/content_hash.h"

namespace superpose {
namespace {

// Rows of logits that exist at once: 256 x 50,257 float32 are 51 MB.
constexpr int64_t kLogitRows = 256;

// x W + b over the last dimension.
at::Tensor Apply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(1);
  return at::addmm(bias, x.reshape({-1, x.size(-1)}), weight).view(sizes);
}

// Of the weights and of whatever else decides what they compute.
std::string HashOf(const TensorMap& raw, const ModelConfig& config) {
  return Sha256Hex(absl::StrFormat(
      "weights %s n_heads %d bos %d eos %d epsilon %.17g activation %s attention_scale %.17g by_inverse_layer %d",
      ContentHash(raw), config.n_heads, config.bos_token_id, config.eos_token_id, config.layer_norm_epsilon,
      config.activation_function, config.attention_scale, config.scale_attention_by_inverse_layer ? 1 : 0));
}

std::vector<LayerNorm> MlpNorms(const TensorMap& raw, int64_t n_layers) {
  // Copies, so that the file need not stay mapped.
  const auto copy = [&](const std::string& name) { return raw.at(name).to(at::kDouble, false, /*copy=*/true); };
  std::vector<LayerNorm> norms;
  for (int64_t layer = 0; layer < n_layers; ++layer) {
    const std::string norm = absl::StrCat("h.", layer, ".ln_2.");
    norms.push_back({copy(norm + "weight"), copy(norm + "bias")});
  }
  return norms;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Model>> Model::Load(const std::string& folder, at::Device device) {
  SUPERPOSE_ASSIGN_OR_RETURN(ModelConfig config,
                             ReadModelConfig((std::filesystem::path(folder) / "config.json").string()));
  return CatchTorch([&]() -> absl::StatusOr<std::shared_ptr<const Model>> {
    SUPERPOSE_ASSIGN_OR_RETURN(TensorMap raw, ReadRawWeights(folder, config));
    std::shared_ptr<Model> model(new Model());
    model->config_ = config;
    model->device_ = device;
    model->content_hash_ = HashOf(raw, config);
    model->tensors_ = ProcessWeights(raw, config);
    model->mlp_norms_ = MlpNorms(raw, config.n_layers);
    for (auto& [name, tensor] : model->tensors_) tensor = tensor.to(device);
    return std::shared_ptr<const Model>(std::move(model));
  });
}

const at::Tensor& Model::layer_tensor(int64_t layer, const std::string& name) const {
  return tensors_.at(absl::StrCat("blocks.", layer, ".", name));
}

absl::Status Model::CheckLayer(int64_t layer) const {
  if (layer >= 0 && layer < config_.n_layers) return absl::OkStatus();
  return InvalidArgument(reason::kLayerOutOfRange, "layer ", layer, " does not exist: the model has layers 0 .. ",
                         config_.n_layers - 1);
}

absl::Status Model::CheckTokens(const at::Tensor& tokens) const {
  bool integers = tokens.scalar_type() == at::kLong || tokens.scalar_type() == at::kInt;
  if (!integers || tokens.dim() != 2)
    return InvalidArgument(reason::kConfigInvalid, "tokens must be int64 or int32 [sequences, positions]");
  if (tokens.numel() == 0) return InvalidArgument(reason::kEmptyInput, "there are no tokens: give at least one");
  if (tokens.size(1) > config_.n_positions) {
    return InvalidArgument(reason::kContextExceeded, "a sequence has ", tokens.size(1),
                           " tokens; the model's context is ", config_.n_positions);
  }
  at::Tensor wrong = at::logical_or(tokens.lt(0), tokens.ge(config_.vocab_size)).nonzero();
  if (wrong.size(0) == 0) return absl::OkStatus();
  int64_t sequence = wrong[0][0].item<int64_t>(), position = wrong[0][1].item<int64_t>();
  return InvalidArgument(reason::kTokenOutOfRange, "sequence ", sequence, ", position ", position, ": token id ",
                         tokens[sequence][position].item<int64_t>(), " is not in 0 .. ", config_.vocab_size - 1);
}

at::Tensor Model::Embed(const at::Tensor& tokens) const {
  return at::embedding(tensor("W_E"), tokens) + tensor("W_pos").slice(0, 0, tokens.size(1));
}

at::Tensor Model::Attention(int64_t layer, const at::Tensor& resid_pre) const {
  int64_t sequences = resid_pre.size(0), positions = resid_pre.size(1);
  at::Tensor qkv = Apply(Normalize(resid_pre), layer_tensor(layer, "W_QKV"), layer_tensor(layer, "b_QKV"));
  // [sequences, positions, 3 d_model] -> three of [sequences, heads, positions, d_head]
  at::Tensor heads = qkv.view({sequences, positions, 3, config_.n_heads, -1}).permute({2, 0, 3, 1, 4});
  double scale = config_.attention_scale;
  if (config_.scale_attention_by_inverse_layer) scale /= static_cast<double>(layer + 1);
  at::Tensor mixed = at::scaled_dot_product_attention(heads[0], heads[1], heads[2], /*attn_mask=*/{}, /*dropout_p=*/0.0,
                                                      /*is_causal=*/true, scale);
  mixed = mixed.transpose(1, 2).reshape({sequences, positions, config_.d_model});
  return Apply(mixed, layer_tensor(layer, "W_O"), layer_tensor(layer, "b_O")).add_(resid_pre);
}

at::Tensor Model::Normalize(const at::Tensor& resid) const {
  return std::get<0>(at::native_layer_norm(resid, {config_.d_model}, {}, {}, config_.layer_norm_epsilon));
}

at::Tensor Model::MlpPreActivation(int64_t layer, const at::Tensor& x_hat) const {
  return Apply(x_hat, layer_tensor(layer, "W_in"), layer_tensor(layer, "b_in"));
}

at::Tensor Model::MlpActivation(const at::Tensor& pre) const {
  if (config_.activation_function == "relu") return at::relu(pre);
  return at::gelu(pre, config_.activation_function == "gelu_new" ? "tanh" : "none");
}

at::Tensor Model::MlpOutput(int64_t layer, const at::Tensor& pre) const {
  return Apply(MlpActivation(pre), layer_tensor(layer, "W_out"), layer_tensor(layer, "b_out"));
}

at::Tensor Model::Block(int64_t layer, const at::Tensor& resid_pre) const {
  at::Tensor resid_mid = Attention(layer, resid_pre);
  return MlpOutput(layer, MlpPreActivation(layer, Normalize(resid_mid))).add_(resid_mid);
}

MlpTensors Model::ToMlp(int64_t layer, const at::Tensor& resid_pre) const {
  MlpTensors mlp;
  mlp.resid_mid = Attention(layer, resid_pre);
  mlp.x_hat = Normalize(mlp.resid_mid);
  mlp.pre = MlpPreActivation(layer, mlp.x_hat);
  mlp.out = MlpOutput(layer, mlp.pre);
  return mlp;
}

at::Tensor Model::LogProbabilities(const at::Tensor& final_resid_rows) const {
  return at::log_softmax(Apply(Normalize(final_resid_rows), tensor("W_U"), tensor("b_U")), -1);
}

absl::StatusOr<MlpTensors> Model::RunToMlp(const at::Tensor& tokens, int64_t layer) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckLayer(layer));
  return CatchTorch([&]() -> absl::StatusOr<MlpTensors> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTokens(tokens));
    at::Tensor resid = Embed(tokens.to(device_, at::kLong));
    for (int64_t before = 0; before < layer; ++before) resid = Block(before, resid);
    return ToMlp(layer, resid);
  });
}

absl::StatusOr<at::Tensor> Model::RunFrom(int64_t layer, const at::Tensor& resid_mid, const at::Tensor& mlp_out) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckLayer(layer));
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    at::Tensor resid = resid_mid + mlp_out;
    for (int64_t next = layer + 1; next < config_.n_layers; ++next) resid = Block(next, resid);
    return resid;
  });
}

absl::StatusOr<at::Tensor> Model::LossPerToken(const at::Tensor& final_resid, const at::Tensor& tokens) const {
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTokens(tokens));
    int64_t predictions = tokens.size(1) - 1;
    at::Tensor rows = final_resid.slice(1, 0, predictions).reshape({-1, config_.d_model});
    at::Tensor targets = tokens.to(device_, at::kLong).slice(1, 1).reshape({-1, 1});
    at::Tensor losses = at::empty({rows.size(0)}, rows.options());
    for (int64_t begin = 0; begin < rows.size(0); begin += kLogitRows) {
      int64_t end = std::min(begin + kLogitRows, rows.size(0));
      at::Tensor log_probabilities = LogProbabilities(rows.slice(0, begin, end));
      losses.slice(0, begin, end).copy_(log_probabilities.gather(1, targets.slice(0, begin, end)).squeeze(1).neg_());
    }
    return losses.view({tokens.size(0), predictions});
  });
}

absl::StatusOr<at::Tensor> Model::Run(const at::Tensor& tokens, const MlpReplacement& replace) const {
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTokens(tokens));
    at::Tensor resid = Embed(tokens.to(device_, at::kLong));
    for (int64_t layer = 0; layer < config_.n_layers; ++layer) {
      const MlpTensors mlp = ToMlp(layer, resid);
      at::Tensor replaced = replace ? replace(layer, mlp) : at::Tensor();
      resid = mlp.resid_mid + (replaced.defined() ? replaced : mlp.out);
    }
    return resid;
  });
}

}  // namespace superpose
