// What reads and writes files: tokenizer, checkpoint_write, checkpoint_load, safetensors_load.
#pragma once

#include "tests/bench/bench_row.h"

namespace superpose {

void AddFileRows(RowMakers& makers);

}  // namespace superpose
