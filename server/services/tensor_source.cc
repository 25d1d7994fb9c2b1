#include "server/services/tensor_source.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/analysis_work.h"
#include "server/runtime/reasons.h"

namespace superpose {

namespace {

std::string SomeNamesOf(const TensorMap& tensors) {
  constexpr size_t kMostNames = 20;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (names.size() == kMostNames) return absl::StrCat(absl::StrJoin(names, ", "), ", .. (", tensors.size(), ")");
    names.push_back(name);
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

absl::StatusOr<TensorSelection> TensorSource::Select(const std::string& resource, const std::string& tensor,
                                                     const DimensionSlices& slices) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap tensors, TensorsOf(resource));
  const auto found = tensors.find(tensor);
  if (found == tensors.end()) {
    return NotFound(reason::kTensorMissing, resource, " has no tensor \"", tensor,
                    "\"; there are: ", SomeNamesOf(tensors));
  }
  if (found->second.is_cpu()) return TensorSelection::Create(found->second, slices);
  // Of what lies on an accelerator only the selection is copied.
  at::Tensor copy;
  SUPERPOSE_RETURN_IF_ERROR(parts_.executor->RunAndWait([&]() -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(copy, SelectToCpu(found->second, slices, parts_.budget));
    return absl::OkStatus();
  }));
  return TensorSelection::Create(std::move(copy), /*slices=*/{});
}

absl::StatusOr<TensorMap> TensorSource::TensorsOf(const std::string& resource) const {
  if (absl::StartsWith(resource, "midcoders/")) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, parts_.midcoders->Open(resource));
    return file.tensors();
  }
  if (absl::StartsWith(resource, "snapshots/")) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, parts_.snapshots->Open(resource));
    return file.tensors();
  }
  if (absl::StartsWith(resource, "factorizations/")) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, parts_.factorizations->Open(resource));
    return file.tensors();
  }
  if (absl::StartsWith(resource, "jobs/")) {
    SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, OpenAnswer(*parts_.folder, parts_.jobs, resource));
    return file.tensors();
  }
  if (!absl::StartsWith(resource, "models/")) {
    return InvalidArgument(reason::kNameInvalid, "resource \"", resource,
                           "\" must be models/{model}, models/{model}/transcoders/{id}, midcoders/{midcoder}, "
                           "snapshots/{snapshot}, factorizations/{factorization} or jobs/{job}");
  }
  if (std::count(resource.begin(), resource.end(), '/') == 1) {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, parts_.registry->FindModel(resource));
    return model->model->tensors();
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const TranscoderHandle transcoder, parts_.registry->FindTranscoder(resource));
  return transcoder->transcoder->tensors();
}

}  // namespace superpose
