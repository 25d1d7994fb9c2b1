#pragma once

#include <ATen/core/Tensor.h>

#include "server/runtime/memory_budget.h"

namespace superpose {

// The same values in the same memory, which now gives `reservation` back when the last tensor over it goes. May throw
// what LibTorch throws: call inside CatchTorch.
at::Tensor WithReservation(at::Tensor tensor, MemoryReservation reservation);

}  // namespace superpose
