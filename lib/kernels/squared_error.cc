#include "lib/kernels/squared_error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <vector>

#include "lib/kernels/vector_loops.h"

namespace superpose {

void SubtractAndAddSquares(const at::Tensor& a, const at::Tensor& b, const at::Tensor& sum) {
  TORCH_CHECK(a.dim() == 2 && a.sizes() == b.sizes(), "matrices of one shape are wanted");
  if (!a.is_cpu()) {
    a.sub_(b);
    sum.add_(a.square().sum(at::kDouble));
    return;
  }
  for (const at::Tensor* tensor : {&a, &b}) {
    TORCH_CHECK(tensor->is_contiguous() && tensor->scalar_type() == at::kFloat,
                "contiguous float32 matrices are wanted");
  }
  const int64_t rows = a.size(0), n = a.size(1);
  float* left = a.mutable_data_ptr<float>();
  const float* right = b.const_data_ptr<float>();
  std::vector<double> squares(rows);
  at::parallel_for(0, rows, 16, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) squares[r] = SubtractVector(left + r * n, right + r * n, n);
  });
  double total = 0;
  for (double row : squares) total += row;
  *sum.mutable_data_ptr<double>() += total;
}

}  // namespace superpose
