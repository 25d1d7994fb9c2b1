#pragma once

#include <cstdint>
#include <memory>

#include "lib/statistics/analysis/analysis.h"
#include "superpose/v1/model.pb.h"

namespace superpose {

// A question whose subject was found: what remains is to run it.
struct OpenedAnalysis {
  std::shared_ptr<const void> subject;  // what the analysis looks at, where it does not hold it itself
  std::unique_ptr<Analysis> analysis;
  v1::Provenance provenance;
  int64_t tokens = 0;           // of the snapshot that took part
  int64_t peak_bytes = 0;       // most that it takes in memory at once, the answer included
  bool has_long_units = false;  // units that take more than some 50 ms
};

}  // namespace superpose
