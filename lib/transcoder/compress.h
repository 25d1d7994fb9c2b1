#pragma once

#include <ATen/core/Tensor.h>

#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// The positive entries of float32 [rows, d_sae]: relu, then compression to sparse rows. NaN counts as inactive.
SparseActivations CompressPositive(const at::Tensor& pre_activations);

// The entries that are above their column's threshold (float32 [d_sae], none negative): relu, jump, then compression.
SparseActivations CompressAbove(const at::Tensor& pre_activations, const at::Tensor& thresholds);

}  // namespace superpose
