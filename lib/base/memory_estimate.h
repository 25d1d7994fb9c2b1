#pragma once

#include <cstdint>

namespace superpose {

// What some work takes in memory: tensors on its device. Models and transcoders that are there already are left out,
// and so are files that are mapped, whose pages the system takes back when it needs them.
struct MemoryEstimate {
  int64_t peak_bytes = 0;        // most that it holds at once
  int64_t held_bytes = 0;        // what stays: of a load what was loaded, of a trainer what it holds between slices
  int64_t checkpoint_bytes = 0;  // of each checkpoint, on the disk
};

inline constexpr int64_t kFloatBytes = 4;
inline constexpr int64_t kDoubleBytes = 8;

}  // namespace superpose
