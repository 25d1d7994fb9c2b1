// Steps of training: step_d_mlp, step_d_model, step_dense_parts, iteration, iteration_12_layers.
#pragma once

#include "tests/bench/bench_row.h"

namespace superpose {

void AddStepRows(RowMakers& makers);

}  // namespace superpose
