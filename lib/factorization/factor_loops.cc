#include "lib/factorization/factor_loops.h"

#include <bit>
#include <cmath>

#include "lib/kernels/vector_clones.h"

namespace superpose {
namespace {

#define SUPERPOSE_INLINE __attribute__((always_inline)) inline

// Sums in double side by side: a fixed order that the compiler may vectorise.
constexpr int64_t kLanes = 16;
// Beyond it 1 - tanh^2 is so small that no theta brings it back, and exp still is a float32.
constexpr float kLargestArgument = 40;
// Adding and subtracting it rounds a small float32 to a whole number.
constexpr float kRounder = 0x1.8p23F;
constexpr float kLog2E = 0x1.715476p+0F;
// ln 2 in two parts; the first has so few digits that its product with a small whole number is exact.
constexpr float kLn2High = 0x1.62e4p-1F, kLn2Low = 0x1.7f7d1cp-20F;
constexpr int32_t kExponentBias = 127, kMantissaBits = 23;

// exp(y) - 1 for y in [0, 2 kLargestArgument]: y = k ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of exp(r) - 1,
// whose first term that is left out is under 2e-8 of it.
SUPERPOSE_INLINE float Expm1(float y) {
  const float k = (y * kLog2E + kRounder) - kRounder;
  const float r = (y - k * kLn2High) - k * kLn2Low;
  float series = 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 1.0F / 2;
  series = series * r * r + r;
  const auto power = std::bit_cast<float>((static_cast<int32_t>(k) + kExponentBias) << kMantissaBits);
  return power * series + (power - 1);
}

struct Tanh {
  float value;
  float slope;  // 1 - value^2
};
// For x >= 0. tanh x = t / (t + 2) with t = exp(2 x) - 1 loses nothing near 0, and 1 - tanh x = 2 / (t + 2) nothing far
// from it.
SUPERPOSE_INLINE Tanh TanhOf(float x) {
  const float t = Expm1(2 * (x < kLargestArgument ? x : kLargestArgument));
  const float inverse = 1 / (t + 2);
  const float value = t * inverse;
  return {value, 2 * inverse * (1 + value)};
}

SUPERPOSE_INLINE double Total(const double (&lanes)[kLanes]) {
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}

// The summand; q becomes scale times its derivative.
SUPERPOSE_INLINE float WeighFactorSimilarity(float& q, float inverse_square, float target, float scale) {
  const Tanh weight = TanhOf(q * q * inverse_square);
  const float error = q - target, square = error * error;
  q = scale * (2 * weight.value * error + weight.slope * 2 * q * inverse_square * square);
  return weight.value * square;
}

SUPERPOSE_INLINE float WeighDecoderSimilarity(float s, float& image, float inverse_square) {
  const float weight = TanhOf(s * s * inverse_square).value, error = s - image;
  image = weight * error;
  return weight * error * error;
}

}  // namespace

SUPERPOSE_VECTOR_CLONES
double WeighFactorSimilarities(float* q, int64_t n, float theta, float target, float scale) {
  const float inverse_square = 1 / (theta * theta);
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += WeighFactorSimilarity(q[i + lane], inverse_square, target, scale);
    }
  }
  for (; i < n; ++i) lanes[0] += WeighFactorSimilarity(q[i], inverse_square, target, scale);
  return Total(lanes);
}

SUPERPOSE_VECTOR_CLONES
double WeighDecoderSimilarities(const float* s, float* __restrict image, int64_t n, float theta) {
  const float inverse_square = 1 / (theta * theta);
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += WeighDecoderSimilarity(s[i + lane], image[i + lane], inverse_square);
    }
  }
  for (; i < n; ++i) lanes[0] += WeighDecoderSimilarity(s[i], image[i], inverse_square);
  return Total(lanes);
}

SUPERPOSE_VECTOR_CLONES
float LargestMagnitude(const float* values, int64_t n) {
  float most[kLanes];
  for (float& lane : most) lane = -1;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float size = std::fabs(values[i + lane]);
      most[lane] = size > most[lane] ? size : most[lane];
    }
  }
  for (; i < n; ++i) {
    const float size = std::fabs(values[i]);
    most[0] = size > most[0] ? size : most[0];
  }
  float largest = -1;
  for (const float lane : most) largest = lane > largest ? lane : largest;
  return largest;
}

SUPERPOSE_VECTOR_CLONES
double DotInDouble(const float* a, const float* b, int64_t n) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += static_cast<double>(a[i + lane]) * b[i + lane];
  }
  for (; i < n; ++i) lanes[0] += static_cast<double>(a[i]) * b[i];
  return Total(lanes);
}

SUPERPOSE_VECTOR_CLONES
void AddScaledRow(float* __restrict acc, const float* row, float scale, int64_t n) {
  for (int64_t i = 0; i < n; ++i) acc[i] += scale * row[i];
}

SUPERPOSE_VECTOR_CLONES
float NormalizeRow(const float* row, float* __restrict unit, int64_t n) {
  const auto norm = static_cast<float>(std::sqrt(DotInDouble(row, row, n)));
  for (int64_t i = 0; i < n; ++i) unit[i] = row[i] / norm;
  return norm;
}

SUPERPOSE_VECTOR_CLONES
void ProjectGradientRow(float* __restrict gradient, const float* unit, float norm, int64_t n) {
  const auto along = static_cast<float>(DotInDouble(gradient, unit, n));
  for (int64_t i = 0; i < n; ++i) gradient[i] = (gradient[i] - along * unit[i]) / norm;
}

}  // namespace superpose
