#include "lib/statistics/sum_loops.h"

#include "lib/kernels/vector_clones.h"

namespace superpose {

// The loops by feature take four tokens at a time, so that the sums are read and written a quarter as often.

SUPERPOSE_VECTOR_CLONES
void AddGates(const ActiveTokens& tokens, const uint8_t* gates, int64_t stride, int64_t n, double* __restrict sum,
              double* __restrict sq_sum, int64_t* __restrict counts) {
  int64_t i = 0;
  for (; i + 4 <= tokens.count; i += 4) {
    const int32_t* rows = tokens.rows + i;
    const uint8_t *g0 = gates + rows[0] * stride, *g1 = gates + rows[1] * stride;
    const uint8_t *g2 = gates + rows[2] * stride, *g3 = gates + rows[3] * stride;
    const double z0 = tokens.values[i], z1 = tokens.values[i + 1];
    const double z2 = tokens.values[i + 2], z3 = tokens.values[i + 3];
    const double q0 = z0 * z0, q1 = z1 * z1, q2 = z2 * z2, q3 = z3 * z3;
    for (int64_t k = 0; k < n; ++k) {
      const double a = g0[k], b = g1[k], c = g2[k], d = g3[k];
      sum[k] = sum[k] + z0 * a + z1 * b + z2 * c + z3 * d;
      sq_sum[k] = sq_sum[k] + q0 * a + q1 * b + q2 * c + q3 * d;
      counts[k] += g0[k] + g1[k] + g2[k] + g3[k];
    }
  }
  for (; i < tokens.count; ++i) {
    const uint8_t* g = gates + tokens.rows[i] * stride;
    const double z = tokens.values[i], q = z * z;
    for (int64_t k = 0; k < n; ++k) {
      const double a = g[k];
      sum[k] += z * a;
      sq_sum[k] += q * a;
      counts[k] += g[k];
    }
  }
}

SUPERPOSE_VECTOR_CLONES
void AddPreActivations(const ActiveTokens& tokens, const float* pre, int64_t stride, int64_t n, double* __restrict sum,
                       double* __restrict sq_sum, double* __restrict products) {
  int64_t i = 0;
  for (; i + 4 <= tokens.count; i += 4) {
    const int32_t* rows = tokens.rows + i;
    const float *p0 = pre + rows[0] * stride, *p1 = pre + rows[1] * stride;
    const float *p2 = pre + rows[2] * stride, *p3 = pre + rows[3] * stride;
    const double z0 = tokens.values[i], z1 = tokens.values[i + 1];
    const double z2 = tokens.values[i + 2], z3 = tokens.values[i + 3];
    for (int64_t k = 0; k < n; ++k) {
      const double a = p0[k], b = p1[k], c = p2[k], d = p3[k];
      sum[k] = sum[k] + a + b + c + d;
      sq_sum[k] = sq_sum[k] + a * a + b * b + c * c + d * d;
      products[k] = products[k] + z0 * a + z1 * b + z2 * c + z3 * d;
    }
  }
  for (; i < tokens.count; ++i) {
    const float* p = pre + tokens.rows[i] * stride;
    const double z = tokens.values[i];
    for (int64_t k = 0; k < n; ++k) {
      const double a = p[k];
      sum[k] += a;
      sq_sum[k] += a * a;
      products[k] += z * a;
    }
  }
}

SUPERPOSE_VECTOR_CLONES
void AddOutputs(const ActiveTokens& tokens, const float* out, int64_t stride, int64_t n, double* __restrict sum) {
  int64_t i = 0;
  for (; i + 4 <= tokens.count; i += 4) {
    const int32_t* rows = tokens.rows + i;
    const float *y0 = out + rows[0] * stride, *y1 = out + rows[1] * stride;
    const float *y2 = out + rows[2] * stride, *y3 = out + rows[3] * stride;
    for (int64_t k = 0; k < n; ++k) {
      const double a = y0[k], b = y1[k], c = y2[k], d = y3[k];
      sum[k] = sum[k] + a + b + c + d;
    }
  }
  for (; i < tokens.count; ++i) {
    const float* y = out + tokens.rows[i] * stride;
    for (int64_t k = 0; k < n; ++k) sum[k] += y[k];
  }
}

SUPERPOSE_VECTOR_CLONES
void AddColumns(const float* values, int64_t rows, int64_t stride, int64_t n, double* __restrict sum) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = values + r * stride;
    for (int64_t k = 0; k < n; ++k) sum[k] += x[k];
  }
}

SUPERPOSE_VECTOR_CLONES
void AddCubes(const float* values, int64_t rows, int64_t stride, int64_t n, double* __restrict cubes) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = values + r * stride;
    for (int64_t k = 0; k < n; ++k) {
      const double a = x[k];
      cubes[k] += a * a * a;
    }
  }
}

SUPERPOSE_VECTOR_CLONES
void CountGates(const uint8_t* gates, int64_t rows, int64_t stride, int64_t n, int64_t* __restrict counts) {
  for (int64_t r = 0; r < rows; ++r) {
    const uint8_t* g = gates + r * stride;
    for (int64_t k = 0; k < n; ++k) counts[k] += g[k];
  }
}

SUPERPOSE_VECTOR_CLONES
void AddGated(const float* values, const uint8_t* gates, int64_t rows, int64_t stride, int64_t n,
              double* __restrict sum) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* x = values + r * stride;
    const uint8_t* g = gates + r * stride;
    for (int64_t k = 0; k < n; ++k) sum[k] += static_cast<double>(g[k]) * x[k];
  }
}

void AddPairs(double z, const int32_t* features, const float* values, int64_t count, int64_t* counts, double* sums) {
  for (int64_t e = 0; e < count; ++e) {
    const int32_t j = features[e];
    ++counts[j];
    sums[j] += z * values[e];
  }
}

}  // namespace superpose
