#pragma once

#include <ATen/core/ScalarType.h>

#include <cstdint>

#include "lib/factorization/eigen_query.h"

namespace superpose {

// What finding eigenpairs takes beyond the directions themselves.
struct EigenMemory {
  int64_t peak_bytes = 0;   // most at once, units_bytes included
  int64_t units_bytes = 0;  // the directions of length 1, which stay to the end
  int64_t pairs_bytes = 0;  // vectors that were found
};

// directions: [n, d] of `type`. The query is valid.
EigenMemory EstimateEigenpairs(int64_t directions, int64_t d, at::ScalarType type, const EigenQuery& query,
                               bool with_vectors);

// Bytes for entries of C that Lanczos may keep (gram_product.h): a part of the rest, so small that the estimate, which
// counts half of it, holds with them or without.
int64_t KeptEntryBytes(int64_t directions, int64_t d, at::ScalarType gram_type, const EigenQuery& query);

}  // namespace superpose
