// Running sums over the logits of one row, vectorised for the processor.
#pragma once

#include <cstdint>

#include "lib/kernels/vector_level.h"

namespace superpose {

// largest becomes the maximum of itself and logits[0..n); sum, relative to it, grows by theirs: after all logits
// log(sum) + largest is log of the sum of e^logit. Start with minus infinity and 0.
void AddExponentials(const float* logits, int64_t n, float* largest, double* sum,
                     VectorLevel level = BestVectorLevel());

// The same with the sum of e^reference (reference - other).
void AddWeightedDifferences(const float* reference, const float* other, int64_t n, float* largest, double* sum,
                            VectorLevel level = BestVectorLevel());

}  // namespace superpose
