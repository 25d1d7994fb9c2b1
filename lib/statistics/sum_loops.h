// The innermost loops of the statistics over rows of tokens, compiled for several processors. Sums run in double, in
// the order of the tokens. Rows are `stride` apart; each loop covers n columns from where its pointers point.
#pragma once

#include <cstdint>

namespace superpose {

// The tokens at which one feature is active, and its activations there.
struct ActiveTokens {
  const int32_t* rows = nullptr;
  const float* values = nullptr;
  int64_t count = 0;
};

// Gates are 0 or 1: sum += z g, sq_sum += z^2 g, counts += g.
void AddGates(const ActiveTokens& tokens, const uint8_t* gates, int64_t stride, int64_t n, double* sum, double* sq_sum,
              int64_t* counts);

// sum += p, sq_sum += p^2, products += z p.
void AddPreActivations(const ActiveTokens& tokens, const float* pre, int64_t stride, int64_t n, double* sum,
                       double* sq_sum, double* products);

// sum += y.
void AddOutputs(const ActiveTokens& tokens, const float* out, int64_t stride, int64_t n, double* sum);

// Over all rows: sum += x.
void AddColumns(const float* values, int64_t rows, int64_t stride, int64_t n, double* sum);
// Over all rows: cubes += x^3.
void AddCubes(const float* values, int64_t rows, int64_t stride, int64_t n, double* cubes);
// Over all rows: counts += g.
void CountGates(const uint8_t* gates, int64_t rows, int64_t stride, int64_t n, int64_t* counts);
// Over all rows: sum += g x.
void AddGated(const float* values, const uint8_t* gates, int64_t rows, int64_t stride, int64_t n, double* sum);

// counts[j] += 1 and sums[j] += z z_j for the entries of one row: their features j and activations z_j.
void AddPairs(double z, const int32_t* features, const float* values, int64_t count, int64_t* counts, double* sums);

}  // namespace superpose
