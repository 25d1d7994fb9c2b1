#include "lib/transcoder/dunefsky.h"

#include <ATen/ATen.h>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/pytorch_file.h"

namespace superpose {
namespace {

template <typename T>
const T* FieldAs(const PickleRecord* record, absl::string_view field) {
  const PickleValue* value = record == nullptr ? nullptr : record->Find(field);
  return value == nullptr ? nullptr : std::get_if<T>(value);
}

absl::Status CheckTensor(const TensorMap& tensors, const std::string& name, const std::vector<int64_t>& shape) {
  auto found = tensors.find(name);
  if (found == tensors.end()) return NotFound(reason::kTensorMissing, "the state_dict has no ", name);
  const at::Tensor& tensor = found->second;
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                           "], not [", absl::StrJoin(shape, ", "), "]");
  }
  if (!at::isFloatingType(tensor.scalar_type()))
    return InvalidArgument(reason::kFileUnsupported, name, " does not hold floating-point numbers");
  if (!at::isfinite(tensor.to(at::kFloat)).all().item<bool>())
    return InvalidArgument(reason::kTensorNotFinite, name, " holds NaN or infinity");
  return absl::OkStatus();
}

absl::Status CheckConfig(const PickleRecord* config, const TensorMap& tensors) {
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
  if (encoder->second.dim() != 2) return InvalidArgument(reason::kTensorShapeMismatch, "W_enc must be [d_in, d_sae]");
  int64_t d_in = encoder->second.size(0), d_sae = encoder->second.size(1);
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "W_enc", {d_in, d_sae}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "b_enc", {d_sae}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "W_dec", {d_sae, d_in}));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors, "b_dec", {d_in}));
  return CheckTensor(tensors, "b_dec_out", {d_in});
}

absl::StatusOr<at::Tensor> ReadLogSparsity(const std::string& path, int64_t d_sae) {
  SUPERPOSE_ASSIGN_OR_RETURN(PickleDocument document, ReadPytorchFile(path));
  const auto* tensor = std::get_if<at::Tensor>(&document.root());
  if (tensor == nullptr)
    return InvalidArgument(reason::kFileUnsupported, path, " holds no tensor of log10 feature frequencies");
  absl::Status checked = CheckTensor({{"log_sparsity", *tensor}}, "log_sparsity", {d_sae});
  if (!checked.ok()) return WithContext(checked, path);
  return *tensor;
}

absl::StatusOr<DunefskyFile> ReadWeights(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(PickleDocument document, ReadPytorchFile(path));
  const auto* root = std::get_if<const PickleDict*>(&document.root());
  const PickleValue* state = root == nullptr ? nullptr : (*root)->Find("state_dict");
  const PickleValue* cfg = root == nullptr ? nullptr : (*root)->Find("cfg");
  if (state == nullptr)
    return InvalidArgument(reason::kFileUnsupported,
                           "it is no {\"cfg\": .., \"state_dict\": ..} as transcoder_circuits saves it");
  DunefskyFile file;
  SUPERPOSE_ASSIGN_OR_RETURN(TensorMap all, TensorsOf(*state));
  const auto* record = cfg == nullptr ? nullptr : std::get_if<const PickleRecord*>(cfg);
  const PickleRecord* config = record == nullptr ? nullptr : *record;
  SUPERPOSE_RETURN_IF_ERROR(CheckConfig(config, all));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensors(all));
  for (const char* name : {"W_enc", "b_enc", "W_dec", "b_dec", "b_dec_out"}) file.tensors[name] = all.at(name);
  if (const int64_t* layer = FieldAs<int64_t>(config, "hook_point_layer")) file.layer = *layer;
  return file;
}

}  // namespace

absl::StatusOr<DunefskyFile> ReadDunefsky(const TranscoderFiles& files) {
  auto file = ReadWeights(files.path);
  if (!file.ok()) return WithContext(file.status(), files.path);
  if (!files.log_sparsity_path.empty()) {
    SUPERPOSE_ASSIGN_OR_RETURN(file->tensors["log_sparsity"],
                               ReadLogSparsity(files.log_sparsity_path, file->tensors.at("b_enc").numel()));
  }
  return file;
}

}  // namespace superpose
