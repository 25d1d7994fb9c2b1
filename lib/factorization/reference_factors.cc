#include "lib/factorization/reference_factors.h"

#include <ATen/ATen.h>

#include <vector>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/directions.h"
#include "lib/tensor_io/check_tensor.h"
#include "lib/tensor_io/pytorch_file.h"

namespace superpose {
namespace {

constexpr char kFactors[] = "factors";
constexpr char kDecoder[] = "decoder.weight";
constexpr char kEncoder[] = "encoder.weight";
constexpr char kOffset[] = "b_pre";

absl::StatusOr<TensorMap> WeightsIn(const PickleDocument& document) {
  const auto* root = std::get_if<const PickleDict*>(&document.root());
  const PickleValue* weights = root == nullptr ? nullptr : (*root)->Find("weights");
  if (weights != nullptr) return TensorsOf(*weights);
  return InvalidArgument(reason::kFileUnsupported,
                         "it is no {\"weights\": .., \"config\": ..} as a factorization is saved");
}

absl::Status CheckNothingElse(const TensorMap& weights, bool has_decoder) {
  for (const auto& [name, tensor] : weights) {
    if (name == kOffset || name == (has_decoder ? kDecoder : kFactors) || (has_decoder && name == kEncoder)) continue;
    return InvalidArgument(reason::kFileUnsupported, "its weights hold ", name, ", which no factorization has");
  }
  return absl::OkStatus();
}

// [m, d] with neither 0.
absl::Status CheckIsMatrix(const std::string& name, const at::Tensor& tensor) {
  if (tensor.dim() == 2 && tensor.numel() > 0) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                         "]: it must be a matrix");
}

absl::Status CheckIfThere(const TensorMap& weights, const std::string& name, const std::vector<int64_t>& shape) {
  return weights.count(name) == 0 ? absl::OkStatus() : CheckTensor(weights, name, shape);
}

absl::StatusOr<ReferenceFactors> Read(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const PickleDocument document, ReadPytorchFile(path));
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap weights, WeightsIn(document));
  const bool has_decoder = weights.count(kDecoder) > 0;
  const std::string name = has_decoder ? kDecoder : kFactors;
  const auto found = weights.find(name);
  if (found == weights.end()) {
    return NotFound(reason::kTensorMissing, "its weights hold neither ", kFactors, " nor ", kDecoder);
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckNothingElse(weights, has_decoder));
  SUPERPOSE_RETURN_IF_ERROR(CheckIsMatrix(name, found->second));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(weights, name, found->second.sizes().vec()));
  const at::Tensor parameter = (has_decoder ? found->second.t() : found->second).to(at::kFloat).contiguous();
  SUPERPOSE_RETURN_IF_ERROR(CheckIfThere(weights, kEncoder, parameter.sizes().vec()));
  SUPERPOSE_RETURN_IF_ERROR(CheckIfThere(weights, kOffset, {parameter.size(1)}));
  auto factors = UnitDirections(parameter, at::kFloat);
  if (!factors.ok()) return WithContext(factors.status(), name);
  return ReferenceFactors{parameter, *std::move(factors)};
}

}  // namespace

absl::StatusOr<ReferenceFactors> ReadReferenceFactors(const std::string& path) {
  auto factors = CatchTorch([&] { return Read(path); });
  if (!factors.ok()) return WithContext(factors.status(), path);
  return factors;
}

absl::Status WriteReferenceFactors(const std::string& path, const at::Tensor& parameter, const PlainDict& config) {
  return WritePytorchFile(path, {{"weights", NamedTensors{{kFactors, parameter}}}, {"config", config}});
}

}  // namespace superpose
