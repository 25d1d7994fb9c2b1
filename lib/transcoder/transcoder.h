// A transcoder: z = relu((x - b_dec) W_enc + b_enc), y = z W_dec + b_dec_out, where x is the layer-normalised input of
// one layer's MLP before gain and bias and y stands for the MLP's output centred over d_model (lib/model/model.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

struct TranscoderFiles {
  std::string path;               // Dunefsky .pt: {"cfg": .., "state_dict": ..}
  std::string log_sparsity_path;  // tensor [d_sae] of log10 feature frequencies, or "" for none
};

class Transcoder {
 public:
  // Loads and checks shapes and values. Errors: those of ReadPytorchFile, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH,
  // TENSOR_NOT_FINITE, TRANSCODER_UNSUPPORTED (what the file asks for cannot be represented exactly).
  static absl::StatusOr<std::shared_ptr<const Transcoder>> Load(const TranscoderFiles& files, at::Device device);

  int64_t d_model() const;
  int64_t d_sae() const;
  // What the file calls the layer it was trained on, or -1.
  int64_t declared_layer() const { return declared_layer_; }
  const std::string& content_hash() const { return content_hash_; }
  // float32 on the device: W_enc [d_model, d_sae], b_enc [d_sae], W_dec [d_sae, d_model], b_dec [d_model], b_dec_out
  // [d_model] and, when there is one, log_sparsity [d_sae].
  const TensorMap& tensors() const { return tensors_; }
  const at::Tensor& tensor(const std::string& name) const { return tensors_.at(name); }
  bool has_log_sparsity() const { return tensors_.count("log_sparsity") > 0; }

  // Ids of the features whose log10 frequency is above `threshold`, ascending, int64. FAILED_PRECONDITION without
  // frequencies.
  absl::StatusOr<at::Tensor> LiveFeatures(double threshold = -4.0) const;

  // x_hat float32 [rows, d_model] on the transcoder's device -> activations. Works through tiles of rows; nothing dense
  // outlives a tile.
  absl::StatusOr<SparseActivations> Encode(const at::Tensor& x_hat) const;
  // z W_dec + b_dec_out, [rows, d_model]: reads only the decoder rows of active features.
  absl::StatusOr<at::Tensor> Decode(const SparseActivations& activations) const;

 private:
  Transcoder() = default;
  TensorMap tensors_;
  int64_t declared_layer_ = -1;
  std::string content_hash_;
};

// Keeps, in every row, the k entries of largest value (ties: the lower feature id).
SparseActivations KeepTopK(const SparseActivations& activations, int64_t k);
// Keeps the entries of the chosen features (int64, ascending, no duplicates).
SparseActivations KeepFeatures(const SparseActivations& activations, const at::Tensor& feature_ids);
// Rows [begin, end).
SparseActivations SliceRows(const SparseActivations& activations, int64_t begin, int64_t end);
// One below the other; all with the same d_sae.
SparseActivations ConcatenateRows(const std::vector<SparseActivations>& parts);

}  // namespace superpose
