#include "lib/model/model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/dense_ops.h"
#include "lib/kernels/logit_sums.h"
#include "lib/model/process_weights.h"
#include "lib/model/raw_weights.h"
#include "lib/tensor_io/content_hash.h"

namespace superpose {
namespace {

// Rows whose logits are computed together, a tile of the vocabulary at a time.
constexpr int64_t kLogitRows = 512;

// Tokens that go through the blocks together on a CPU: what they need then stays in its cache.
constexpr int64_t kChunkTokens = 512;

at::Tensor Rows(const at::Tensor& tensor) { return tensor.view({-1, tensor.size(-1)}); }

at::Tensor EmptyWithWidth(const at::Tensor& like, int64_t width) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes.back() = width;
  return at::empty(sizes, like.options());
}

// The part of each of the tensors that belongs to some of the sequences.
MlpTensors Narrow(const MlpTensors& mlp, int64_t begin, int64_t count) {
  return {mlp.resid_mid.narrow(0, begin, count), mlp.x_hat.narrow(0, begin, count), mlp.pre.narrow(0, begin, count),
          mlp.out.narrow(0, begin, count)};
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

void Model::EmbedInto(const at::Tensor& tokens, const at::Tensor& resid) const {
  at::Tensor rows = Rows(resid);
  at::index_select_out(rows, tensor("W_E"), 0, tokens.flatten());
  resid.add_(tensor("W_pos").slice(0, 0, tokens.size(1)));
}

at::Tensor Model::Embed(const at::Tensor& tokens) const {
  at::Tensor resid = at::empty({tokens.size(0), tokens.size(1), config_.d_model}, tensor("W_E").options());
  EmbedInto(tokens, resid);
  return resid;
}

void Model::ApplyInto(int64_t layer, const char* name, const at::Tensor& x, const at::Tensor& out) const {
  LinearInto(x, layer_tensor(layer, absl::StrCat("W_", name)), layer_tensor(layer, absl::StrCat("b_", name)),
             LinearEnd::kNothing, out);
}

void Model::AddAttentionOfRows(int64_t layer, const at::Tensor& rows, BlockWorkspace& workspace,
                               const Attend& attend) const {
  const at::Tensor narrow = workspace.Narrow(rows.size(0), config_.d_model, rows.options());
  NormalizeRowsInto(rows, config_.layer_norm_epsilon, narrow);
  const at::Tensor qkv = workspace.Wide(rows.size(0), 3 * config_.d_model, rows.options());
  ApplyInto(layer, "QKV", narrow, qkv);
  double scale = config_.attention_scale;
  if (config_.scale_attention_by_inverse_layer) scale /= static_cast<double>(layer + 1);
  attend(qkv, scale, narrow);
  const at::Tensor out = workspace.Wide(rows.size(0), config_.d_model, rows.options());
  ApplyInto(layer, "O", narrow, out);
  rows.add_(out);
}

void Model::AddAttention(int64_t layer, const at::Tensor& resid, BlockWorkspace& workspace) const {
  AddAttentionOfRows(layer, Rows(resid), workspace, [&](const at::Tensor& qkv, double scale, const at::Tensor& mixed) {
    CausalAttentionInto(qkv.view({resid.size(0), resid.size(1), -1}), config_.n_heads, scale, mixed.view_as(resid));
  });
}

void Model::AddPackedAttention(int64_t layer, const at::Tensor& rows, const std::vector<int64_t>& lengths,
                               BlockWorkspace& workspace) const {
  AddAttentionOfRows(layer, rows, workspace, [&](const at::Tensor& qkv, double scale, const at::Tensor& mixed) {
    int64_t begin = 0;
    for (const int64_t length : lengths) {
      CausalAttentionInto(qkv.narrow(0, begin, length).unsqueeze(0), config_.n_heads, scale,
                          mixed.narrow(0, begin, length).unsqueeze(0));
      begin += length;
    }
  });
}

at::Tensor Model::Attention(int64_t layer, const at::Tensor& resid_pre) const {
  BlockWorkspace workspace;
  at::Tensor resid = resid_pre.clone(at::MemoryFormat::Contiguous);
  AddAttention(layer, resid, workspace);
  return resid;
}

at::Tensor Model::Normalize(const at::Tensor& resid) const {
  const at::Tensor from = resid.contiguous();
  at::Tensor x_hat = at::empty_like(from);
  NormalizeRowsInto(Rows(from), config_.layer_norm_epsilon, Rows(x_hat));
  return x_hat;
}

at::Tensor Model::MlpPreActivation(int64_t layer, const at::Tensor& x_hat) const {
  at::Tensor pre = EmptyWithWidth(x_hat, config_.d_mlp);
  ApplyInto(layer, "in", Rows(x_hat.contiguous()), Rows(pre));
  return pre;
}

void Model::ActivateInto(const at::Tensor& pre, const at::Tensor& hidden) const {
  at::Tensor out = hidden;
  if (config_.activation_function == "gelu_new")
    GeluTanhInto(pre, hidden);
  else if (config_.activation_function == "relu")
    at::clamp_min_out(out, pre, 0);
  else
    at::gelu_out(out, pre, "none");
}

at::Tensor Model::MlpActivation(const at::Tensor& pre) const {
  const at::Tensor from = pre.contiguous();
  at::Tensor hidden = at::empty_like(from);
  ActivateInto(from, hidden);
  return hidden;
}

at::Tensor Model::MlpOutput(int64_t layer, const at::Tensor& pre) const {
  at::Tensor out = EmptyWithWidth(pre, config_.d_model);
  ApplyInto(layer, "out", Rows(MlpActivation(pre)), Rows(out));
  return out;
}

void Model::HiddenInto(int64_t layer, const at::Tensor& x_hat, const at::Tensor& pre, const at::Tensor& hidden) const {
  if (!pre.defined() && config_.activation_function == "gelu_new") {
    return LinearInto(x_hat, layer_tensor(layer, "W_in"), layer_tensor(layer, "b_in"), LinearEnd::kGeluTanh, hidden);
  }
  const at::Tensor before = pre.defined() ? Rows(pre) : hidden;
  ApplyInto(layer, "in", x_hat, before);
  ActivateInto(before, hidden);
}

void Model::RunBlock(int64_t layer, const at::Tensor& resid, BlockWorkspace& workspace, const MlpTensors& keep) const {
  AddAttention(layer, resid, workspace);
  if (keep.resid_mid.defined()) keep.resid_mid.copy_(resid);
  const int64_t rows = resid.size(0) * resid.size(1);
  const at::Tensor narrow = workspace.Narrow(rows, config_.d_model, resid.options());
  const at::Tensor x_hat = keep.x_hat.defined() ? Rows(keep.x_hat) : narrow;
  NormalizeRowsInto(Rows(resid), config_.layer_norm_epsilon, x_hat);
  const at::Tensor hidden = workspace.Wide(rows, config_.d_mlp, resid.options());
  HiddenInto(layer, x_hat, keep.pre, hidden);
  const at::Tensor out = keep.out.defined() ? Rows(keep.out) : narrow;
  ApplyInto(layer, "out", hidden, out);
  resid.add_(out.view_as(resid));
}

at::Tensor Model::Block(int64_t layer, const at::Tensor& resid_pre) const {
  BlockWorkspace workspace;
  at::Tensor resid = resid_pre.clone(at::MemoryFormat::Contiguous);
  RunBlock(layer, resid, workspace);
  return resid;
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
  const at::Tensor x_hat = Normalize(final_resid_rows);
  at::Tensor logits = EmptyWithWidth(x_hat, config_.vocab_size);
  LinearInto(x_hat, tensor("W_U"), tensor("b_U"), LinearEnd::kNothing, logits);
  return at::log_softmax(logits, -1);
}

at::Tensor Model::Logits(const at::Tensor& x_hat, int64_t first, const at::Tensor& room) const {
  const int64_t count = std::min(kVocabularyTile, config_.vocab_size - first);
  at::Tensor logits = room.narrow(0, 0, x_hat.size(0) * count).view({x_hat.size(0), count});
  LinearInto(x_hat, tensor("W_U").narrow(1, first, count), tensor("b_U").narrow(0, first, count), LinearEnd::kNothing,
             logits);
  return logits;
}

void Model::RunChunkToMlp(const at::Tensor& tokens, int64_t layer, const MlpTensors& mlp,
                          BlockWorkspace& workspace) const {
  EmbedInto(tokens, mlp.resid_mid);
  for (int64_t before = 0; before < layer; ++before) RunBlock(before, mlp.resid_mid, workspace);
  AddAttention(layer, mlp.resid_mid, workspace);
  NormalizeRowsInto(Rows(mlp.resid_mid), config_.layer_norm_epsilon, Rows(mlp.x_hat));
  const at::Tensor pre = Rows(mlp.pre);
  const at::Tensor hidden = workspace.Wide(pre.size(0), config_.d_mlp, pre.options());
  HiddenInto(layer, Rows(mlp.x_hat), pre, hidden);
  ApplyInto(layer, "out", hidden, Rows(mlp.out));
}

absl::StatusOr<MlpTensors> Model::RunToMlp(const at::Tensor& tokens, int64_t layer) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckLayer(layer));
  return CatchTorch([&]() -> absl::StatusOr<MlpTensors> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTokens(tokens));
    const at::Tensor ids = tokens.to(device_, at::kLong);
    const int64_t sequences = ids.size(0), positions = ids.size(1);
    const auto empty = [&](int64_t width) { return at::empty({sequences, positions, width}, tensor("W_E").options()); };
    MlpTensors mlp{empty(config_.d_model), empty(config_.d_model), empty(config_.d_mlp), empty(config_.d_model)};
    BlockWorkspace workspace;
    const int64_t chunk = device_.is_cpu() ? std::max<int64_t>(1, kChunkTokens / positions) : sequences;
    for (int64_t begin = 0; begin < sequences; begin += chunk) {
      const int64_t count = std::min(chunk, sequences - begin);
      RunChunkToMlp(ids.narrow(0, begin, count), layer, Narrow(mlp, begin, count), workspace);
    }
    return mlp;
  });
}

absl::StatusOr<at::Tensor> Model::RunFrom(int64_t layer, const at::Tensor& resid_mid, const at::Tensor& mlp_out) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckLayer(layer));
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    at::Tensor resid = resid_mid.contiguous() + mlp_out;
    BlockWorkspace workspace;
    for (int64_t next = layer + 1; next < config_.n_layers; ++next) RunBlock(next, resid, workspace);
    return resid;
  });
}

absl::StatusOr<at::Tensor> Model::LossPerToken(const at::Tensor& final_resid, const at::Tensor& tokens) const {
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTokens(tokens));
    int64_t predictions = tokens.size(1) - 1;
    at::Tensor rows = final_resid.slice(1, 0, predictions).reshape({-1, config_.d_model});
    at::Tensor targets = tokens.to(device_, at::kLong).slice(1, 1).reshape({-1});
    at::Tensor losses = at::empty({rows.size(0)}, rows.options());
    for (int64_t begin = 0; begin < rows.size(0); begin += kLogitRows) {
      const int64_t end = std::min(begin + kLogitRows, rows.size(0));
      const at::Tensor x_hat = Normalize(rows.slice(0, begin, end));
      const at::Tensor room = at::empty({(end - begin) * kVocabularyTile}, rows.options());
      LogitSums sums(targets.slice(0, begin, end));
      for (int64_t first = 0; first < config_.vocab_size; first += kVocabularyTile) {
        sums.Add(Logits(x_hat, first, room), first);
      }
      losses.slice(0, begin, end).copy_(sums.Losses());
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
