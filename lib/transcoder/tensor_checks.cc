#include "lib/transcoder/tensor_checks.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"

namespace superpose {

absl::Status CheckNoOthers(const TensorMap& tensors, const std::vector<std::string>& known) {
  for (const auto& [name, tensor] : tensors) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return FailedPrecondition(reason::kTranscoderUnsupported, "it has a tensor \"", name,
                              "\", which is not understood; there may be ", absl::StrJoin(known, ", "));
  }
  return absl::OkStatus();
}

}  // namespace superpose
