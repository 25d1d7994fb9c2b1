#include "lib/tensor_io/check_tensor.h"

#include <ATen/ATen.h>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {

absl::Status CheckTensor(const TensorMap& tensors, const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return NotFound(reason::kTensorMissing, "the file has no ", name);
  const at::Tensor& tensor = found->second;
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                           "], not [", absl::StrJoin(shape, ", "), "]");
  }
  if (!at::isFloatingType(tensor.scalar_type()))
    return InvalidArgument(reason::kFileUnsupported, name, " does not hold floating-point numbers");
  if (!AllFinite(tensor)) return InvalidArgument(reason::kTensorNotFinite, name, " holds NaN or infinity");
  return absl::OkStatus();
}

}  // namespace superpose
