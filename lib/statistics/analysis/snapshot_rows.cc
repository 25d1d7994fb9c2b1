#include "lib/statistics/analysis/snapshot_rows.h"

#include <ATen/ATen.h>

namespace superpose {

at::Tensor TakeRows(const at::Tensor& tensor, const at::Tensor& rows, at::Device device) {
  return tensor.index_select(0, rows).to(device, at::kDouble);
}

int64_t CountNaN(const at::Tensor& values) { return values.isnan().sum().item<int64_t>(); }

}  // namespace superpose
