// The end of the program of the service rows where something went wrong, and its figures.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace superpose {

// From any thread.
[[noreturn]] void Fail(const std::string& message);

inline void Require(const absl::Status& status) {
  if (!status.ok()) Fail(std::string(status.message()));
}
template <typename T>
T Require(absl::StatusOr<T> value) {
  Require(value.status());
  return *std::move(value);
}

// The smallest of `values`, of which there is one at least, that is not below `fraction` of them.
double Percentile(std::vector<double> values, double fraction);

}  // namespace superpose
