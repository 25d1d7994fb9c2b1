#include "lib/kernels/int8_vector.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "lib/kernels/vector_clones.h"

namespace superpose {
namespace {

constexpr int64_t kLanes = 16;
constexpr float kMostSteps = 127;
// Below this there is nothing to scale: q is zero, and all of h is error.
constexpr float kSmallest = 0x1p-100F;
// Covers a sum of squares in double, its root, and rounding to float32.
constexpr double kRoundedUp = 1 + 0x1p-20;
// Adding and subtracting it rounds a small float32 to a whole number.
constexpr float kRounder = 0x1.8p23F;

float NormOf(double squares) { return static_cast<float>(std::sqrt(squares) * kRoundedUp); }

template <typename T>
T Total(const T (&lanes)[kLanes]) {
  T total = 0;
  for (const T lane : lanes) total += lane;
  return total;
}

using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));

}  // namespace

SUPERPOSE_VECTOR_CLONES
Int8Vector QuantizeInt8(const float* __restrict h, int64_t n, int8_t* __restrict q) {
  float most[kLanes] = {};
  double squares[kLanes] = {};
  for (int64_t k = 0; k < n; k += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float size = std::fabs(h[k + lane]);
      most[lane] = size > most[lane] ? size : most[lane];
      squares[lane] += static_cast<double>(size) * size;
    }
  }
  const double all_squares = Total(squares);
  const float largest = *std::max_element(most, most + kLanes);
  Int8Vector result;
  result.length = NormOf(all_squares);
  result.error = result.length;
  const bool is_finite = all_squares <= std::numeric_limits<double>::max();
  if (!is_finite) result.length = result.error = std::numeric_limits<float>::infinity();
  if (!is_finite || largest < kSmallest) {
    std::fill_n(q, n, int8_t{0});
    return result;
  }
  const float scale = largest / kMostSteps, inverse = kMostSteps / largest;
  int32_t sums[kLanes] = {}, square_steps[kLanes] = {};
  double lost[kLanes] = {};
  for (int64_t k = 0; k < n; k += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float rounded = (h[k + lane] * inverse + kRounder) - kRounder;
      const auto steps = static_cast<int32_t>(rounded);
      const double error = static_cast<double>(h[k + lane]) - static_cast<double>(scale) * rounded;
      q[k + lane] = static_cast<int8_t>(steps);
      sums[lane] += steps;
      square_steps[lane] += steps * steps;
      lost[lane] += error * error;
    }
  }
  result.scale = scale;
  result.norm = NormOf(static_cast<double>(scale) * scale * Total(square_steps));
  result.error = NormOf(Total(lost));
  result.sum = Total(sums);
  return result;
}

// Within a vector of 16, each value and the one whose place differs in one bit become their sum and difference; then
// whole vectors do.
SUPERPOSE_VECTOR_CLONES
void RotateBlocks(float* values, int64_t n, int64_t block) {
  const Floats signs1 = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
  const Floats signs2 = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
  const Floats signs4 = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1};
  const Floats signs8 = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
  for (int64_t k = 0; k < n; k += kLanes) {
    Floats v;
    std::memcpy(&v, values + k, sizeof(v));
    v = __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14) + v * signs1;
    v = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13) + v * signs2;
    v = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11) + v * signs4;
    v = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7) + v * signs8;
    std::memcpy(values + k, &v, sizeof(v));
  }
  for (int64_t step = kLanes; step < block; step *= 2) {
    for (int64_t first = 0; first < n; first += 2 * step) {
      float* __restrict left = values + first;
      float* __restrict right = left + step;
      for (int64_t i = 0; i < step; ++i) {
        const float sum = left[i] + right[i];
        right[i] = left[i] - right[i];
        left[i] = sum;
      }
    }
  }
}

}  // namespace superpose
