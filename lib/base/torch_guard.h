// The edge where LibTorch's exceptions become Status: nothing that calls LibTorch lets one cross a public function of
// lib.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose {

// Runs `body`. c10::OutOfMemoryError and std::bad_alloc become RESOURCE_EXHAUSTED / OUT_OF_MEMORY, any other exception
// INTERNAL / COMPUTE_FAILED with LibTorch's first line.
absl::Status CatchTorchStatus(const std::function<absl::Status()>& body);

// For a body that returns absl::Status or absl::StatusOr<T>: returns that type.
template <typename Body>
auto CatchTorch(Body&& body) -> std::invoke_result_t<Body> {
  using Result = std::invoke_result_t<Body>;
  if constexpr (std::is_same_v<Result, absl::Status>) {
    return CatchTorchStatus(std::forward<Body>(body));
  } else {
    Result result = absl::UnknownError("not run");
    absl::Status status = CatchTorchStatus([&] {
      result = body();
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return result;
  }
}

}  // namespace superpose
