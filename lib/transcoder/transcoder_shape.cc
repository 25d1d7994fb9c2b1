#include "lib/transcoder/transcoder_shape.h"

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "lib/base/error.h"
#include "lib/base/file_type.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/pytorch_file.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {
namespace {

absl::StatusOr<TensorMap> TensorsOfFile(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::filesystem::file_type type, FileTypeOf(path));
  if (type == std::filesystem::file_type::directory) {
    const std::filesystem::path weights = std::filesystem::path(path) / "sae_weights.safetensors";
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(weights.string()));
    return file.tensors();
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const PickleDocument document, ReadPytorchFile(path));
  const auto* root = std::get_if<const PickleDict*>(&document.root());
  const PickleValue* state = root == nullptr ? nullptr : (*root)->Find("state_dict");
  return TensorsOf(state == nullptr ? document.root() : *state);
}

}  // namespace

absl::StatusOr<TranscoderOnDisk> ReadTranscoderShape(const std::string& path) {
  return CatchTorch([&]() -> absl::StatusOr<TranscoderOnDisk> {
    SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, TensorsOfFile(path));
    const auto encoder = tensors.find("W_enc");
    if (encoder == tensors.end() || encoder->second.dim() != 2)
      return NotFound(reason::kTensorMissing, path, " has no matrix W_enc");
    TranscoderOnDisk found;
    found.shape.d_model = encoder->second.size(0);
    found.shape.d_sae = encoder->second.size(1);
    found.in_float32 = encoder->second.scalar_type() == at::kFloat;
    return found;
  });
}

}  // namespace superpose
