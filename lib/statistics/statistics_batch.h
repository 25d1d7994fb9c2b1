// A batch of tokens as the sums read it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/kernels/sparse_ops.h"
#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// How sums are computed: by loops of our own, which read the CPU's memory, or by LibTorch's operators on any device.
enum class SumsBy { kLoops, kOperators };

// Activations of the counted features, renumbered, by token and by feature.
struct CountedActivations {
  SparseActivations z;
  TransposedActivations by_feature;
  at::Tensor host_splits;  // by_feature.feature_splits on the CPU
};

// On one device; what no group needs is undefined.
struct StatisticsBatch {
  int64_t rows = 0;
  CountedActivations features;
  CountedActivations pairs;  // of the features that pairs cover
  at::Tensor pre;            // float32 [rows, d_mlp], as all of them contiguous
  at::Tensor mid;            // float32 [rows, d_mlp]
  at::Tensor out;            // float32 [rows, d_model]
  at::Tensor gates;          // bool [rows, d_mlp]
};

}  // namespace superpose
