#pragma once

#include <cstdint>
#include <string>

#include "superpose/v1/memory.pb.h"

namespace superpose::cli {

// What some work would take in memory, and what would fit where that is too much, in `width` columns. `snapshot_bytes`:
// of the snapshots that result; 0 where none do.
std::string MemoryReport(const v1::MemoryEstimate& estimate, int64_t snapshot_bytes, int width);

}  // namespace superpose::cli
