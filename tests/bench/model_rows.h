// model_forward, encode, encode_int8, evaluate.
#pragma once

#include "tests/bench/bench_row.h"

namespace superpose {

void AddModelRows(RowMakers& makers);

}  // namespace superpose
