#include "lib/transcoder/dunefsky.h"

#include <ATen/ATen.h>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/pytorch_file.h"
#include "lib/transcoder/tensor_checks.h"

namespace superpose {
namespace {

const PickleValue* FindField(const PickleValue& config, absl::string_view field) {
  if (const auto* record = std::get_if<const PickleRecord*>(&config)) return (*record)->Find(field);
  if (const auto* dict = std::get_if<const PickleDict*>(&config)) return (*dict)->Find(field);
  return nullptr;
}

// A field of the config, which is an object or a plain dict, or None where there is none.
template <typename T>
const T* FieldAs(const PickleValue& config, absl::string_view field) {
  const PickleValue* value = FindField(config, field);
  return value == nullptr ? nullptr : std::get_if<T>(value);
}

absl::Status CheckConfig(const PickleValue& config, const TensorMap& tensors) {
  const bool* is_transcoder = FieldAs<bool>(config, "is_transcoder");
  if ((is_transcoder != nullptr && !*is_transcoder) || tensors.count("b_dec_out") == 0) {
    return FailedPrecondition(reason::kTranscoderUnsupported,
                              "it is a sparse autoencoder (no b_dec_out, or is_transcoder false), not a transcoder");
  }
  const bool* sparse_connection = FieldAs<bool>(config, "is_sparse_connection");
  if (sparse_connection != nullptr && *sparse_connection) {
    return FailedPrecondition(reason::kTranscoderUnsupported, "is_sparse_connection is not supported");
  }
  return absl::OkStatus();
}

absl::Status CheckTensors(const TensorMap& tensors) {
  auto encoder = tensors.find("W_enc");
  if (encoder == tensors.end()) return NotFound(reason::kTensorMissing, "the state_dict has no W_enc");
  if (encoder->second.dim() != 2 || encoder->second.numel() == 0)
    return InvalidArgument(reason::kTensorShapeMismatch, "W_enc must be [d_in, d_sae], both 1 or more");
  int64_t d_in = encoder->second.size(0), d_sae = encoder->second.size(1);
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "W_enc", {d_in, d_sae}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "b_enc", {d_sae}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "W_dec", {d_sae, d_in}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "b_dec", {d_in}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "b_dec_out", {d_in}));
  return CheckNoOthers(tensors, {"W_enc", "b_enc", "W_dec", "b_dec", "b_dec_out"});
}

absl::StatusOr<TranscoderFile> ReadWeights(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(PickleDocument document, ReadPytorchFile(path));
  const auto* root = std::get_if<const PickleDict*>(&document.root());
  const PickleValue* state = root == nullptr ? nullptr : (*root)->Find("state_dict");
  const PickleValue* cfg = root == nullptr ? nullptr : (*root)->Find("cfg");
  if (state == nullptr)
    return InvalidArgument(reason::kFileUnsupported,
                           "it is no {\"cfg\": .., \"state_dict\": ..} as transcoder_circuits saves it");
  TranscoderFile file;
  file.format = "dunefsky";
  file.convention.subtracts_input_bias = true;
  file.convention.centred_target = true;
  SUPERPOSE_ASSIGN_OR_RETURN(file.tensors, TensorsOf(*state));
  const PickleValue config = cfg == nullptr ? PickleValue() : *cfg;
  SUPERPOSE_RETURN_IF_ERROR(CheckConfig(config, file.tensors));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensors(file.tensors));
  if (const int64_t* layer = FieldAs<int64_t>(config, "hook_point_layer")) file.layer = *layer;
  return file;
}

}  // namespace

absl::StatusOr<TranscoderFile> ReadDunefsky(const std::string& path) {
  auto file = ReadWeights(path);
  if (!file.ok()) return WithContext(file.status(), path);
  return file;
}

}  // namespace superpose
