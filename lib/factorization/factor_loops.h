// The innermost loops of a factorization over float32 vectors, compiled for several processors; the right one is chosen
// when the program starts. w(s) = tanh((s / theta)^2) is accurate to a few units in the last place, also near 0.
#pragma once

#include <cstdint>

namespace superpose {

// Similarities q[0..n) of factors, whose target is 0, or 1 for a factor with itself: returns the sum of
// w(q) (q - target)^2 and replaces q by `scale` times the derivative of its summand, 2 w(q) (q - target) + w'(q)
// (q - target)^2.
double WeighFactorSimilarities(float* q, int64_t n, float theta, float target, float scale);

// Similarities s[0..n) of decoders and those of their images: returns the sum of w(s) (s - image)^2 and replaces image
// by w(s) (s - image).
double WeighDecoderSimilarities(const float* s, float* image, int64_t n, float theta);

// The largest |values[i]|; -1 where all are NaN.
float LargestMagnitude(const float* values, int64_t n);

// unit = row / |row|; returns |row|.
float NormalizeRow(const float* row, float* unit, int64_t n);
// gradient = (gradient - (gradient . unit) unit) / norm: from the gradient of a unit row to that of the row itself.
void ProjectGradientRow(float* gradient, const float* unit, float norm, int64_t n);

// a . b in double.
double DotInDouble(const float* a, const float* b, int64_t n);
// acc += scale * row.
void AddScaledRow(float* acc, const float* row, float scale, int64_t n);

}  // namespace superpose
