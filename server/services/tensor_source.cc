#include "server/services/tensor_source.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/reasons.h"

namespace superpose {

absl::StatusOr<at::Tensor> TensorSource::Find(const std::string& resource, const std::string& tensor) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, TensorsOf(resource));
  const auto found = tensors.find(tensor);
  if (found == tensors.end()) {
    auto name = [](std::string* out, const auto& entry) { out->append(entry.first); };
    return NotFound(reason::kTensorMissing, resource, " has no tensor \"", tensor,
                    "\"; there are: ", absl::StrJoin(tensors, ", ", name));
  }
  if (found->second.is_cpu()) return found->second;
  at::Tensor copy;
  SUPERPOSE_RETURN_IF_ERROR(executor_->RunAndWait([&] {
    return CatchTorch([&] {
      copy = found->second.cpu();
      return absl::OkStatus();
    });
  }));
  return copy;
}

absl::StatusOr<TensorMap> TensorSource::TensorsOf(const std::string& resource) const {
  if (absl::StartsWith(resource, "midcoders/")) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, midcoders_->Open(resource));
    return file.tensors();
  }
  if (!absl::StartsWith(resource, "models/")) {
    return InvalidArgument(reason::kNameInvalid, "resource \"", resource,
                           "\" must be models/{model}, models/{model}/transcoders/{id} or midcoders/{midcoder}");
  }
  if (std::count(resource.begin(), resource.end(), '/') == 1) {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry_->FindModel(resource));
    return model->model->tensors();
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const LoadedTranscoder* transcoder, registry_->FindTranscoder(resource));
  return transcoder->transcoder->tensors();
}

}  // namespace superpose
