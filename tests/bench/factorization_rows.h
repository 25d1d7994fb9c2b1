// Decoder directions: factorizer_batch, eigh, svd.
#pragma once

#include "tests/bench/bench_row.h"

namespace superpose {

void AddFactorizationRows(RowMakers& makers);

}  // namespace superpose
