#include "server/runtime/reserved_tensor.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>

namespace superpose {

at::Tensor WithReservation(at::Tensor tensor, MemoryReservation reservation) {
  struct Holder {
    MemoryReservation reservation;  // goes after the tensor
    at::Tensor tensor;
  };
  const auto holder = std::make_shared<Holder>(Holder{std::move(reservation), std::move(tensor)});
  const at::Tensor& held = holder->tensor;
  return at::from_blob(held.data_ptr(), held.sizes(), held.strides(), [holder](void*) {}, held.options());
}

}  // namespace superpose
