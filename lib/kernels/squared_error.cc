#include "lib/kernels/squared_error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <vector>

#include "lib/kernels/vector_loops.h"

namespace superpose {

void SubtractAndAddSquares(const at::Tensor& a, const at::Tensor& b, const at::Tensor& difference,
                           const at::Tensor& sum) {
  TORCH_CHECK(a.dim() == 2 && a.sizes() == b.sizes() && a.sizes() == difference.sizes(),
              "matrices of one shape are wanted");
  if (!a.is_cpu()) {
    at::Tensor out = difference;
    at::sub_out(out, a, b);
    sum.add_(out.square().sum(at::kDouble));
    return;
  }
  for (const at::Tensor* tensor : {&a, &b, &difference}) {
    TORCH_CHECK(tensor->is_contiguous() && tensor->scalar_type() == at::kFloat,
                "contiguous float32 matrices are wanted");
  }
  const int64_t rows = a.size(0), n = a.size(1);
  const float* left = a.const_data_ptr<float>();
  const float* right = b.const_data_ptr<float>();
  float* out = difference.mutable_data_ptr<float>();
  std::vector<double> squares(rows);
  at::parallel_for(0, rows, 16, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) squares[r] = SubtractVector(left + r * n, right + r * n, n, out + r * n);
  });
  double total = 0;
  for (double row : squares) total += row;
  *sum.mutable_data_ptr<double>() += total;
}

}  // namespace superpose
