// The innermost loops over float32 vectors, compiled for several processors; the right one is chosen when the program
// starts.
#pragma once

#include <cstdint>

namespace superpose {

// The factors of one AdamW step in the form torch.optim.AdamW applies them.
struct AdamWFactors {
  float decay;  // 1 - lr * weight_decay
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float step_size;         // lr / (1 - beta1^step)
  float bias_correction2;  // sqrt(1 - beta2^step)
  float eps;
};
void AdamWVector(float* parameter, float* exp_avg, float* exp_avg_sq, const float* gradient, int64_t n,
                 const AdamWFactors& factors);

// a[0..n) -= b; returns the sum of the squares of what is then a.
double SubtractVector(float* a, const float* b, int64_t n);

// The sum over k in [0, n) of a[k] * b[k]: 64 sums side by side, put together at the end, so that n / 64 + 8 roundings
// at most lie between a product and the result.
float DotProduct(const float* a, const float* b, int64_t n);

bool AllZero(const float* values, int64_t n);

}  // namespace superpose
