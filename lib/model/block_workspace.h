#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>

namespace superpose {

// The room that a block of a model needs on its way, kept from one block to the next: a pass over batches of one shape
// allocates nothing large after the first block.
class BlockWorkspace {
 public:
  // A matrix of `rows` by `width` that holds anything, until the next call. Grows to the largest that was asked for.
  at::Tensor Narrow(int64_t rows, int64_t width, const at::TensorOptions& options) {
    return View(narrow_, rows, width, options);
  }
  // Another one beside it.
  at::Tensor Wide(int64_t rows, int64_t width, const at::TensorOptions& options) {
    return View(wide_, rows, width, options);
  }

 private:
  static at::Tensor View(at::Tensor& room, int64_t rows, int64_t width, const at::TensorOptions& options) {
    if (!room.defined() || room.numel() < rows * width) {
      room.reset();
      room = at::empty({rows * width}, options);
    }
    return room.narrow(0, 0, rows * width).view({rows, width});
  }

  at::Tensor narrow_;
  at::Tensor wide_;
};

}  // namespace superpose
