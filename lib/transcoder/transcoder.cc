#include "lib/transcoder/transcoder.h"

#include <ATen/ATen.h>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/sparse_ops.h"
#include "lib/tensor_io/all_finite.h"
#include "lib/tensor_io/content_hash.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/fold.h"
#include "lib/transcoder/int8_prefilter.h"

namespace superpose {
namespace {

std::string InWords(const TranscoderConvention& convention) {
  return absl::StrFormat(
      "superpose-transcoder-1 input %s subtracts_input_bias %d has_skip %d activation %s centred_target %d "
      "activation_scale %.17g\n",
      NameOf(convention.input), convention.subtracts_input_bias ? 1 : 0, convention.has_skip ? 1 : 0,
      NameOf(convention.activation), convention.centred_target ? 1 : 0, convention.activation_scale);
}

// Of what is computed with: frequencies are notes about it. What folding computes is not the same number on every
// machine, so that of a file which is folded the hash is of what goes into that.
std::string HashOf(const TranscoderFile& file, const LayerNorm& norm, bool is_folded) {
  TensorMap tensors = file.tensors;
  tensors.erase("log_sparsity");
  if (!is_folded) return ContentHash(tensors);
  if (file.convention.input == TranscoderInput::kAfterGain) {
    tensors["norm_gain"] = norm.gain;
    tensors["norm_bias"] = norm.bias;
  }
  return Sha256Hex(InWords(file.convention) + ContentHash(tensors));
}

// What was finite in the file may be too large once it is multiplied by a scale or a gain.
absl::Status CheckFolded(const TranscoderFile& folded) {
  for (const auto& [name, tensor] : folded.tensors) {
    if (AllFinite(tensor)) continue;
    return InvalidArgument(reason::kTensorNotFinite, name, " holds NaN or infinity once this is folded: ",
                           absl::StrJoin(folded.convention.folded, "; "));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Transcoder>> Transcoder::Create(const TranscoderFile& file, const LayerNorm& norm,
                                                                     at::Device device,
                                                                     const TranscoderOptions& options) {
  return CatchTorch([&]() -> absl::StatusOr<std::shared_ptr<const Transcoder>> {
    const int64_t d_model = file.tensors.at("b_dec_out").numel();
    if (norm.gain.defined() && norm.gain.numel() != d_model) {
      return FailedPrecondition(reason::kTranscoderMismatch, "it reads d_model ", d_model, " but the model has ",
                                norm.gain.numel());
    }
    TranscoderFile folded = FoldToMemoryForm(file, norm);
    const bool is_folded = !folded.convention.folded.empty();
    if (is_folded) SUPERPOSE_RETURN_IF_ERROR(CheckFolded(folded));
    std::shared_ptr<Transcoder> transcoder(new Transcoder());
    transcoder->content_hash_ = HashOf(file, norm, is_folded);
    transcoder->declared_layer_ = file.layer;
    transcoder->format_ = file.format;
    transcoder->convention_ = std::move(folded.convention);
    for (const auto& [name, tensor] : folded.tensors) {
      const auto in_file = file.tensors.find(name);
      // A view of a mapped file would change, or end the process, when somebody writes the file anew in place.
      const bool is_view = in_file != file.tensors.end() && tensor.is_alias_of(in_file->second);
      transcoder->tensors_[name] = tensor.to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/is_view);
    }
    const bool jumps = transcoder->convention_.activation == TranscoderActivation::kJumpRelu;
    transcoder->active_above_ =
        jumps ? transcoder->tensor("threshold").clamp_min(0) : at::zeros_like(transcoder->tensor("b_enc"));
    if (options.int8_prefilter && device.is_cpu() && Int8Prefilter::Supports(d_model)) transcoder->AddPrefilter();
    return std::shared_ptr<const Transcoder>(std::move(transcoder));
  });
}

// The encoder's columns are read one by one: they are kept as rows, and W_enc is a view of them.
void Transcoder::AddPrefilter() {
  const at::Tensor encoder = tensor("W_enc").t().contiguous();
  tensors_["W_enc"] = encoder.t();
  prefilter_ = std::make_shared<const Int8Prefilter>(encoder, tensor("b_enc"), active_above_);
}

absl::StatusOr<std::shared_ptr<const Transcoder>> Transcoder::Load(const TranscoderFiles& files, at::Device device,
                                                                   const TranscoderOptions& options) {
  SUPERPOSE_ASSIGN_OR_RETURN(const TranscoderFile file, ReadTranscoderFile(files));
  if (file.convention.input == TranscoderInput::kAfterGain) {
    return FailedPrecondition(
        reason::kTranscoderUnsupported, files.path,
        " reads the input after the gain of the layer norm: it can be loaded with its model only");
  }
  return Create(file, {}, device, options);
}

int64_t Transcoder::d_model() const { return tensor("W_enc").size(0); }
int64_t Transcoder::d_sae() const { return tensor("W_enc").size(1); }

absl::StatusOr<at::Tensor> Transcoder::LiveFeatures(double threshold) const {
  if (!has_log_sparsity()) {
    return FailedPrecondition(reason::kFrequenciesMissing,
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

absl::StatusOr<at::Tensor> Transcoder::Decode(const SparseActivations& activations, const at::Tensor& x_hat) const {
  if (activations.d_sae != d_sae()) {
    return InvalidArgument(reason::kTranscoderMismatch, "the activations are of ", activations.d_sae,
                           " features, the transcoder has ", d_sae());
  }
  if (x_hat.dim() != 2 || x_hat.size(0) != activations.rows() || x_hat.size(1) != d_model()) {
    return InvalidArgument(reason::kTranscoderMismatch, "the activations are of [", activations.rows(), ", ", d_model(),
                           "] inputs, not [", absl::StrJoin(x_hat.sizes(), ", "), "]");
  }
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> { return DecodeRows(activations, x_hat); });
}

at::Tensor Transcoder::DecodeRows(const SparseActivations& activations, const at::Tensor& x_hat) const {
  at::Tensor output = SparseTimesDense(activations, tensor("W_dec"), tensor("b_dec_out"));
  if (has_skip()) output.addmm_(x_hat, tensor("W_skip"));
  return output;
}

}  // namespace superpose
