#include "lib/midcoder/checkpoint_checks.h"

#include <ATen/ATen.h>

#include <charconv>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {

std::string ExactText(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return std::string(text, end);
}

absl::Status CheckCheckpointFormat(const StringMap& metadata, const std::string& format) {
  const auto found = metadata.find("format");
  if (found != metadata.end() && found->second == format) return absl::OkStatus();
  return FailedPrecondition(reason::kFileUnsupported, "the checkpoint is of the format \"",
                            found == metadata.end() ? "" : found->second, "\"; this version reads \"", format, "\"");
}

absl::Status CheckSameInputs(const StringMap& expected, const StringMap& metadata) {
  for (const auto& [key, value] : expected) {
    const auto entry = metadata.find(key);
    if (entry != metadata.end() && entry->second == value) continue;
    return FailedPrecondition(reason::kInputChanged, key, " of the checkpoint is ",
                              entry == metadata.end() ? "not known" : entry->second, ", of this job ", value,
                              "; resume with the same, or start a new job");
  }
  for (const auto& [key, value] : metadata) {
    if (!absl::StartsWith(key, "config.") || expected.count(key) > 0) continue;
    return FailedPrecondition(reason::kInputChanged, key, " of the checkpoint is ", value,
                              ", this job has none; resume with the same, or start a new job");
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ReadCount(const StringMap& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  int64_t value = 0;
  if (found == metadata.end() || !absl::SimpleAtoi(found->second, &value) || value < 0) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint's metadata must have a count \"", key, "\"");
  }
  return value;
}

absl::Status CheckCheckpointTensor(const TensorMap& tensors, const std::string& name, at::ScalarType dtype,
                                   at::IntArrayRef shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return InvalidArgument(reason::kTensorMissing, "the checkpoint has no tensor ", name);
  const at::Tensor& tensor = found->second;
  if (tensor.sizes() != shape || tensor.scalar_type() != dtype) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " of the checkpoint is ",
                           at::toString(tensor.scalar_type()), " [", absl::StrJoin(tensor.sizes(), ", "), "]; ",
                           at::toString(dtype), " [", absl::StrJoin(shape, ", "), "] is wanted");
  }
  if (tensor.is_floating_point() && !AllFinite(tensor)) {
    return InvalidArgument(reason::kTensorNotFinite, name, " of the checkpoint holds values that are NaN or infinite");
  }
  return absl::OkStatus();
}

}  // namespace superpose
