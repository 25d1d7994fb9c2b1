#include "lib/kernels/normalize_vector.h"

#include <cmath>

#include "lib/kernels/vector_clones.h"

namespace superpose {

// Lanes of sums: a fixed order that the compiler may vectorise.
SUPERPOSE_VECTOR_CLONES
void NormalizeVector(const float* x, int64_t n, double epsilon, float* out) {
  constexpr int64_t kLanes = 16;
  double lanes[kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += x[k + lane];
  }
  double sum = 0;
  for (; k < n; ++k) sum += x[k];
  for (double lane : lanes) sum += lane;
  const double mean = sum / static_cast<double>(n);
  double squares[kLanes] = {};
  for (k = 0; k + kLanes <= n; k += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double difference = x[k + lane] - mean;
      squares[lane] += difference * difference;
    }
  }
  double total = 0;
  for (; k < n; ++k) total += (x[k] - mean) * (x[k] - mean);
  for (double lane : squares) total += lane;
  const auto factor = static_cast<float>(1 / std::sqrt(total / static_cast<double>(n) + epsilon));
  const auto center = static_cast<float>(mean);
  for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - center) * factor;
}

}  // namespace superpose
