#include "lib/tensor_io/content_hash.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/sha256.h"
#include "lib/tensor_io/data_types.h"

namespace superpose {

std::string ContentHash(const TensorMap& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    // Lengths come first, so that no two lists of tensors give the same bytes.
    hash.Update(absl::StrCat(name.size(), ":", name, " ", SafetensorsName(tensor.scalar_type()), " [",
                             absl::StrJoin(tensor.sizes(), ","), "] ", tensor.nbytes(), ":"));
    at::Tensor bytes = tensor.detach().to(at::kCPU).contiguous();
    hash.Update(bytes.data_ptr(), bytes.nbytes());
  }
  return hash.HexDigest();
}

}  // namespace superpose
