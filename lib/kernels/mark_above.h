// Finds the few entries of long rows that count, 64 a word, vectorised for the processor at run time.
#pragma once

#include <cstdint>

#include "lib/kernels/vector_level.h"

namespace superpose {

// Bit i % 64 of marks[i / 64], for i in [0, n), is whether values[i] + bias[i] > thresholds[i]; never where NaN takes
// part. Bits from n on are zero. Returns how many are set.
int64_t MarkAbove(const float* values, const float* bias, const float* thresholds, int64_t n, uint64_t* marks,
                  VectorLevel level = BestVectorLevel());

}  // namespace superpose
