#pragma once

#include <ATen/core/Tensor.h>

#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// The entries of pre-activations that are above their feature's threshold: relu, jump, then compression to sparse rows.
// Pre-activations are products + bias: float32 [rows, d_sae] and [d_sae], or the former alone where no bias is given.
// thresholds: float32 [d_sae], none negative. NaN counts as inactive.
SparseActivations CompressAbove(const at::Tensor& products, const at::Tensor& thresholds, const at::Tensor& bias = {});

}  // namespace superpose
