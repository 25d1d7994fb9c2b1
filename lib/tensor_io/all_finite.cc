#include "lib/tensor_io/all_finite.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace superpose {
namespace {

constexpr int64_t kPartElements = int64_t{1} << 18;

bool PartIsFinite(const at::Tensor& part) { return part.to(at::kFloat).isfinite().all().item<bool>(); }

}  // namespace

bool AllFinite(const at::Tensor& tensor) {
  if (tensor.dim() == 0 || tensor.numel() == 0) return PartIsFinite(tensor);
  const int64_t rows = tensor.size(0), row_elements = tensor.numel() / rows;
  const int64_t step = std::max<int64_t>(1, kPartElements / row_elements);
  for (int64_t begin = 0; begin < rows; begin += step) {
    if (!PartIsFinite(tensor.slice(0, begin, std::min(begin + step, rows)))) return false;
  }
  return true;
}

}  // namespace superpose
