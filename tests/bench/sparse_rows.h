// w_mid_forward and w_mid_gradient_adamw: what a step does with W_mid, beside LibTorch's embedding_bag as well.
#pragma once

#include "tests/bench/bench_row.h"

namespace superpose {

void AddSparseRows(RowMakers& makers);

}  // namespace superpose
