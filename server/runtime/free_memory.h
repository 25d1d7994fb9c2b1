#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace superpose {

// Where Linux says how much memory there is.
struct MemoryFiles {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
};

// Bytes of host memory that can be had without swapping: MemAvailable of meminfo, or less where the process's control
// group, or one above it, has a limit. FILE_NOT_FOUND when meminfo does not say.
absl::StatusOr<int64_t> FreeHostMemory(const MemoryFiles& files = {});

// Bytes that are free on a device: FreeHostMemory() for the CPU. DEVICE_UNAVAILABLE.
absl::StatusOr<int64_t> FreeMemory(c10::Device device);

}  // namespace superpose
