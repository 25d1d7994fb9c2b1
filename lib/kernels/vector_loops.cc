#include "lib/kernels/vector_loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/kernels/vector_clones.h"

namespace superpose {

SUPERPOSE_VECTOR_CLONES
void AdamWVector(float* __restrict parameter, float* __restrict exp_avg, float* __restrict exp_avg_sq,
                 const float* __restrict gradient, int64_t n, const AdamWFactors& factors) {
  const AdamWFactors f = factors;
  for (int64_t k = 0; k < n; ++k) {
    const float g = gradient[k];
    const float m = exp_avg[k] + f.one_minus_beta1 * (g - exp_avg[k]);
    const float v = exp_avg_sq[k] * f.beta2 + f.one_minus_beta2 * g * g;
    const float denominator = std::sqrt(v) / f.bias_correction2 + f.eps;
    exp_avg[k] = m;
    exp_avg_sq[k] = v;
    parameter[k] = parameter[k] * f.decay - f.step_size * (m / denominator);
  }
}

// Lanes of double sums: a fixed order that the compiler may vectorise.
SUPERPOSE_VECTOR_CLONES
double SubtractVector(float* __restrict a, const float* b, int64_t n) {
  constexpr int64_t kLanes = 16;
  double lanes[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float d = a[k + lane] - b[k + lane];
      a[k + lane] = d;
      lanes[lane] += static_cast<double>(d) * d;
    }
  }
  double sum = 0;
  for (; k < n; ++k) {
    a[k] -= b[k];
    sum += static_cast<double>(a[k]) * a[k];
  }
  for (double lane : lanes) sum += lane;
  return sum;
}

SUPERPOSE_VECTOR_CLONES
float DotProduct(const float* a, const float* b, int64_t n) {
  using Floats = float __attribute__((vector_size(64)));
  constexpr int64_t kLanes = 16, kAtOnce = 4 * kLanes;
  Floats sums[4] = {};
  int64_t k = 0;
  for (; k + kAtOnce <= n; k += kAtOnce) {
    for (int64_t part = 0; part < 4; ++part) {
      Floats left, right;
      std::memcpy(&left, a + k + part * kLanes, sizeof(left));
      std::memcpy(&right, b + k + part * kLanes, sizeof(right));
      sums[part] += left * right;
    }
  }
  for (int64_t part = 0; k < n; k += kLanes, ++part) {
    Floats left = {}, right = {};
    const size_t bytes = std::min(kLanes, n - k) * sizeof(float);
    std::memcpy(&left, a + k, bytes);
    std::memcpy(&right, b + k, bytes);
    sums[part] += left * right;
  }
  const Floats both = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float total[kLanes];
  std::memcpy(total, &both, sizeof(both));
  for (int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (int64_t lane = 0; lane < width; ++lane) total[lane] += total[lane + width];
  }
  return total[0];
}

bool AllZero(const float* values, int64_t n) {
  return std::all_of(values, values + n, [](float value) { return value == 0.0f; });
}

}  // namespace superpose
