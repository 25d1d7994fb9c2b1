#pragma once

#include <ATen/core/Tensor.h>

#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// The positive entries of float32 [rows, d_sae]: relu, then compression to sparse rows. NaN counts as inactive.
SparseActivations CompressPositive(const at::Tensor& pre_activations);

}  // namespace superpose
