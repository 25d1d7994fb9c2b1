// A transcoder as it is in memory, whatever its file's convention (convention.h, fold.h):
//   pre = (x - b_dec) W_enc + b_enc
//   z = relu(pre); with a threshold: pre where pre > max(threshold, 0), 0 elsewhere
//   y = z W_dec + b_dec_out, + x W_skip with a skip
// where x is the layer-normalised input of one layer's MLP before gain and bias and y stands for the MLP's output
// centred over d_model (lib/model/model.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/convention.h"
#include "lib/transcoder/sparse_activations.h"
#include "lib/transcoder/transcoder_file.h"

namespace superpose {

class Int8Prefilter;

struct TranscoderOptions {
  // Encode behind an int8 pre-filter (int8_prefilter.h), which is faster and as exact. Without effect on accelerators
  // and on processors that it does not suit.
  bool int8_prefilter = false;
};

class Transcoder {
 public:
  // Folds a file into the form above; `norm` is the layer norm before the MLP that it replaces. TRANSCODER_MISMATCH
  // where their widths differ.
  static absl::StatusOr<std::shared_ptr<const Transcoder>> Create(const TranscoderFile& file, const LayerNorm& norm,
                                                                  at::Device device,
                                                                  const TranscoderOptions& options = {});
  // For a file that needs nothing of its model: one that reads x_hat. TRANSCODER_UNSUPPORTED for others, and the errors
  // of ReadTranscoderFile.
  static absl::StatusOr<std::shared_ptr<const Transcoder>> Load(const TranscoderFiles& files, at::Device device,
                                                                const TranscoderOptions& options = {});

  int64_t d_model() const;
  int64_t d_sae() const;
  // What the file calls the layer it was trained on, or -1.
  int64_t declared_layer() const { return declared_layer_; }
  // Of the file's weights (log_sparsity is none); where they were folded, of the convention and of the layer norm that
  // was folded, too. The same on every machine.
  const std::string& content_hash() const { return content_hash_; }
  // "dunefsky" or "saelens".
  const std::string& format() const { return format_; }
  // How the file had it, and what was folded since.
  const TranscoderConvention& convention() const { return convention_; }
  // float32 on the device: W_enc [d_model, d_sae], b_enc [d_sae], W_dec [d_sae, d_model], b_dec [d_model], b_dec_out
  // [d_model]; where there is such a thing W_skip [d_model, d_model] ([in, out]), threshold [d_sae], log_sparsity
  // [d_sae]; and what folding took (fold.h). Contiguous, but for W_enc where there is a pre-filter.
  const TensorMap& tensors() const { return tensors_; }
  const at::Tensor& tensor(const std::string& name) const { return tensors_.at(name); }
  // What a pre-activation must be above: max(threshold, 0), zero for relu; float32 [d_sae].
  const at::Tensor& active_above() const { return active_above_; }
  // Null where there is none.
  const Int8Prefilter* prefilter() const { return prefilter_.get(); }
  bool has_skip() const { return convention_.has_skip; }
  bool has_log_sparsity() const { return tensors_.count("log_sparsity") > 0; }

  // Ids of the features whose log10 frequency is above `threshold`, ascending, int64. FAILED_PRECONDITION without
  // frequencies.
  absl::StatusOr<at::Tensor> LiveFeatures(double threshold = -4.0) const;

  // x_hat float32 [rows, d_model] on the transcoder's device -> activations. Works through tiles of rows; nothing dense
  // outlives a tile.
  absl::StatusOr<SparseActivations> Encode(const at::Tensor& x_hat) const;
  // y of activations and of the x_hat [rows, d_model] that they came from, which a skip reads too; [rows, d_model].
  // Touches only the decoder rows of active features.
  absl::StatusOr<at::Tensor> Decode(const SparseActivations& activations, const at::Tensor& x_hat) const;
  // The same without checks, for callers inside CatchTorch. May throw what LibTorch throws.
  at::Tensor DecodeRows(const SparseActivations& activations, const at::Tensor& x_hat) const;

 private:
  Transcoder() = default;
  void AddPrefilter();

  TensorMap tensors_;
  at::Tensor active_above_;
  std::shared_ptr<const Int8Prefilter> prefilter_;
  int64_t declared_layer_ = -1;
  std::string content_hash_;
  std::string format_;
  TranscoderConvention convention_;
};

}  // namespace superpose
