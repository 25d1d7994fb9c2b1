#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/runtime/device_executor.h"

namespace superpose {

// A request that the device works on part by part, so that others get their turn in between.
struct PartedRequest {
  // Works on the next part, on the device's thread; true when it was the last.
  std::function<absl::StatusOr<bool>()> run_part;
  // Once, with OK after the last part, else with what went wrong; on the device's thread or the caller's.
  std::function<void(const absl::Status&)> finish;
  absl::Time deadline = absl::InfiniteFuture();
  std::function<bool()> is_cancelled;  // may be null
  // What run_part does, where it has one part and may be done together with others; may be null.
  std::shared_ptr<BatchableWork> work = nullptr;
  // What the device spent on it, complete when `finish` is called.
  std::shared_ptr<DeviceShare> share = std::make_shared<DeviceShare>();
};

void RunInParts(DeviceExecutor* executor, PartedRequest request);

}  // namespace superpose
