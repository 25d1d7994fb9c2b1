#pragma once

#include <cstdint>

namespace superpose {

// out[0..n) = (x - mean of x) / sqrt(biased variance of x + epsilon); sums run in double. x and out may be the same.
void NormalizeVector(const float* x, int64_t n, double epsilon, float* out);

}  // namespace superpose
