#pragma once

#include <ATen/core/Tensor.h>

namespace superpose {

// sum += x^T x, of which only the blocks on and above the diagonal are computed. x: float64 [rows, n]; sum: float64 [n,
// n]. In float64 throughout: TF32 and the like play no part, and on the CPU the sum does not depend on the number of
// threads. What lies below the diagonal stays as it was: MirrorGram makes it good.
void AddGram(const at::Tensor& x, const at::Tensor& sum);
void MirrorGram(const at::Tensor& sum);

}  // namespace superpose
