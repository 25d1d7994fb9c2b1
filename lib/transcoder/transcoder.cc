#include "lib/transcoder/transcoder.h"

#include <ATen/ATen.h>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/sparse_ops.h"
#include "lib/tensor_io/content_hash.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/dunefsky.h"

namespace superpose {

absl::StatusOr<std::shared_ptr<const Transcoder>> Transcoder::Load(const TranscoderFiles& files, at::Device device) {
  return CatchTorch([&]() -> absl::StatusOr<std::shared_ptr<const Transcoder>> {
    SUPERPOSE_ASSIGN_OR_RETURN(DunefskyFile file, ReadDunefsky(files));
    std::shared_ptr<Transcoder> transcoder(new Transcoder());
    transcoder->content_hash_ = ContentHash(file.tensors);
    transcoder->declared_layer_ = file.layer;
    for (auto& [name, tensor] : file.tensors) transcoder->tensors_[name] = tensor.to(device, at::kFloat).contiguous();
    return std::shared_ptr<const Transcoder>(std::move(transcoder));
  });
}

int64_t Transcoder::d_model() const { return tensor("W_enc").size(0); }
int64_t Transcoder::d_sae() const { return tensor("W_enc").size(1); }

absl::StatusOr<at::Tensor> Transcoder::LiveFeatures(double threshold) const {
  if (!has_log_sparsity()) {
    return FailedPrecondition(reason::kTensorMissing,
                              "this transcoder came without feature frequencies: set log_sparsity_path");
  }
  return CatchTorch(
      [&]() -> absl::StatusOr<at::Tensor> { return tensor("log_sparsity").gt(threshold).nonzero().squeeze(1); });
}

absl::StatusOr<SparseActivations> Transcoder::Encode(const at::Tensor& x_hat) const {
  if (x_hat.dim() != 2 || x_hat.size(1) != d_model()) {
    return InvalidArgument(reason::kTranscoderMismatch, "the transcoder reads [rows, ", d_model(), "], not [",
                           absl::StrJoin(x_hat.sizes(), ", "), "]");
  }
  return CatchTorch([&]() -> absl::StatusOr<SparseActivations> {
    ActivationEncoder encoder(*this, x_hat);
    while (!encoder.done()) encoder.EncodeNextTile();
    return encoder.Take();
  });
}

absl::StatusOr<at::Tensor> Transcoder::Decode(const SparseActivations& activations) const {
  if (activations.d_sae != d_sae()) {
    return InvalidArgument(reason::kTranscoderMismatch, "the activations are of ", activations.d_sae,
                           " features, the transcoder has ", d_sae());
  }
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    return SparseTimesDense(activations, tensor("W_dec"), tensor("b_dec_out"));
  });
}

}  // namespace superpose
