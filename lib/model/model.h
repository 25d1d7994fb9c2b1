// A GPT-2 family transformer, processed so that a transcoder's conventions hold: layer-norm gain and bias folded into
// the next linear layer, weights that write to the residual stream centred over d_model, unembedding centred over the
// vocabulary, value biases folded into the output bias (the definitions of TransformerLens 2.18's fold_ln,
// center_writing_weights, center_unembed, fold_value_biases). Log-probabilities equal the raw model's; logits equal it
// up to one constant a position.
//
// On the CPU what is computed for a position depends on the tokens of its sequence up to it alone, bit for bit: neither
// on the sequences beside it, nor on padding behind it, nor on the number of threads (lib/kernels/dense_ops.h).
//
// Every function runs on the model's device. They are pure and may be called from one thread at a time for each device
// (LibTorch's thread pool belongs to the calling thread).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/block_workspace.h"
#include "lib/model/model_config.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// The tensors around one layer's MLP, [sequences, positions, ..] float32.
struct MlpTensors {
  at::Tensor resid_mid;  // [.., d_model] residual stream after attention
  at::Tensor x_hat;      // [.., d_model] layer-normalised input, before gain and bias: what a transcoder reads
  at::Tensor pre;        // [.., d_mlp]   x_hat W_in + b_in, before the activation function
  at::Tensor out;        // [.., d_model] the MLP's output, centred over d_model: a transcoder's target
};

// A layer norm's parameters as they lie in the files, float64 [d_model] on the CPU. The processed model has no use for
// them (they are in W_in and b_in); a transcoder that reads the input after the gain is folded with them.
struct LayerNorm {
  at::Tensor gain;
  at::Tensor bias;
};

class Model {
 public:
  // Reads `folder` as Hugging Face lays it out: config.json and model.safetensors or pytorch_model.bin, or shards with
  // {file}.index.json. Names may carry the prefix "transformer." or not; lm_head may be tied or of its own. Processed
  // in float64, kept in float32. Errors: those of the files, MODEL_UNSUPPORTED, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH,
  // TENSOR_NOT_FINITE.
  static absl::StatusOr<std::shared_ptr<const Model>> Load(const std::string& folder, at::Device device);

  const ModelConfig& config() const { return config_; }
  at::Device device() const { return device_; }
  // Hash of the weights as they lie in the files and of what else decides what they compute: heads, epsilon, activation
  // function, attention scale, BOS and end-of-text ids.
  const std::string& content_hash() const { return content_hash_; }

  // Processed weights by name: W_E [vocab, d_model], W_pos [n_positions, d_model], W_U [d_model, vocab], b_U [vocab];
  // and for each layer "blocks.{l}." W_QKV [d_model, 3 d_model], b_QKV [3 d_model], W_O [d_model, d_model], b_O, W_in
  // [d_model, d_mlp], b_in, W_out [d_mlp, d_model], b_out. All [in, out].
  const TensorMap& tensors() const { return tensors_; }
  const at::Tensor& tensor(const std::string& name) const { return tensors_.at(name); }
  const at::Tensor& layer_tensor(int64_t layer, const std::string& name) const;
  // The layer norm before the MLP of `layer`, which must exist.
  const LayerNorm& mlp_norm(int64_t layer) const { return mlp_norms_.at(layer); }

  // INVALID_ARGUMENT unless tokens are int64 or int32 [sequences, positions], not empty, at most n_positions long, ids
  // in the vocabulary.
  absl::Status CheckTokens(const at::Tensor& tokens) const;
  absl::Status CheckLayer(int64_t layer) const;

  // The pieces of a forward pass, for callers that give way between them. tokens: int64 [sequences, positions] on the
  // device.
  at::Tensor Embed(const at::Tensor& tokens) const;                           // -> residual [s, p, d_model]
  at::Tensor Attention(int64_t layer, const at::Tensor& resid_pre) const;     // -> resid_mid
  at::Tensor Normalize(const at::Tensor& resid) const;                        // x_hat of any residual
  at::Tensor MlpPreActivation(int64_t layer, const at::Tensor& x_hat) const;  // -> pre
  at::Tensor MlpActivation(const at::Tensor& pre) const;                      // act(pre)
  at::Tensor MlpOutput(int64_t layer, const at::Tensor& pre) const;           // act(pre) W_out + b_out
  at::Tensor Block(int64_t layer, const at::Tensor& resid_pre) const;         // the whole layer
  MlpTensors ToMlp(int64_t layer, const at::Tensor& resid_pre) const;         // up to the MLP's output
  // The same in place, for passes of many blocks: `resid`, contiguous, becomes the residual after the layer, or the one
  // after its attention. What `keep` has (any of its tensors may be undefined; contiguous) receives those around the
  // MLP.
  void EmbedInto(const at::Tensor& tokens, const at::Tensor& resid) const;
  void RunBlock(int64_t layer, const at::Tensor& resid, BlockWorkspace& workspace, const MlpTensors& keep = {}) const;
  void AddAttention(int64_t layer, const at::Tensor& resid, BlockWorkspace& workspace) const;
  // The same for sequences of any lengths, one behind the other: rows, contiguous [sum of lengths, d_model].
  void AddPackedAttention(int64_t layer, const at::Tensor& rows, const std::vector<int64_t>& lengths,
                          BlockWorkspace& workspace) const;
  // Logits of the kVocabularyTile tokens (fewer at the vocabulary's end) from `first` on, [rows, tokens], of x_hat
  // [rows, d_model] of final residuals. They lie in `room`, float32 [at least rows * kVocabularyTile].
  static constexpr int64_t kVocabularyTile = 1024;
  at::Tensor Logits(const at::Tensor& x_hat, int64_t first, const at::Tensor& room) const;
  // Log-probabilities over the vocabulary, [rows, vocab], of final residuals [rows, d_model]. Callers go by tiles of
  // rows.
  at::Tensor LogProbabilities(const at::Tensor& final_resid_rows) const;

  // Runs the prefix up to the MLP of `layer` and stops there. Validates, never throws.
  absl::StatusOr<MlpTensors> RunToMlp(const at::Tensor& tokens, int64_t layer) const;
  // From the residual after `layer` to the end; [s, p, d_model].
  absl::StatusOr<at::Tensor> RunFrom(int64_t layer, const at::Tensor& resid_mid, const at::Tensor& mlp_out) const;
  // -log p(token[i + 1] | ..) for positions 0 .. p - 2: [sequences, positions - 1] float32, by tiles of the
  // vocabulary, so that a row's logits never all exist at once.
  absl::StatusOr<at::Tensor> LossPerToken(const at::Tensor& final_resid, const at::Tensor& tokens) const;
  // Whole forward pass. `replace`, when given, maps a layer's MlpTensors to what is added in place of its output
  // (undefined: keep).
  using MlpReplacement = std::function<at::Tensor(int64_t layer, const MlpTensors& mlp)>;
  absl::StatusOr<at::Tensor> Run(const at::Tensor& tokens,
                                 const MlpReplacement& replace = nullptr) const;  // -> final residual

 private:
  Model() = default;
  // Mixes the values of qkv [rows, 3 d_model] into `mixed` [rows, d_model].
  using Attend = std::function<void(const at::Tensor& qkv, double scale, const at::Tensor& mixed)>;
  // rows: the residual, [rows, d_model]; becomes the one after the layer's attention.
  void AddAttentionOfRows(int64_t layer, const at::Tensor& rows, BlockWorkspace& workspace, const Attend& attend) const;
  // The linear map named W_{name}, b_{name} of rows of any shape.
  void ApplyInto(int64_t layer, const char* name, const at::Tensor& x, const at::Tensor& out) const;
  void ActivateInto(const at::Tensor& pre, const at::Tensor& hidden) const;
  // hidden = act(x_hat W_in + b_in), and pre, where it is defined.
  void HiddenInto(int64_t layer, const at::Tensor& x_hat, const at::Tensor& pre, const at::Tensor& hidden) const;
  void RunChunkToMlp(const at::Tensor& tokens, int64_t layer, const MlpTensors& mlp, BlockWorkspace& workspace) const;
  ModelConfig config_;
  at::Device device_ = at::kCPU;
  std::string content_hash_;
  TensorMap tensors_;
  std::vector<LayerNorm> mlp_norms_;  // by layer
};

}  // namespace superpose
