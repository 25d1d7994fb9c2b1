#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "superpose/v1/model.pb.h"

namespace superpose {

// What an analysis needs before it can be made, worked out in units as it is itself.
class Preparation {
 public:
  virtual ~Preparation() = default;
  // 1 or more.
  virtual int64_t units() const = 0;
  // Runs unit 0, 1, .. units() - 1, each once and in order.
  virtual absl::Status RunUnit(int64_t unit) = 0;
  // After the last unit, once, as one more unit.
  virtual absl::StatusOr<std::unique_ptr<Analysis>> Make() = 0;
  // Whether Make() takes much longer than a unit.
  virtual bool MakingIsLong() const = 0;
  // Of the analysis, at most.
  virtual int64_t analysis_units() const = 0;
  virtual int64_t result_bytes() const = 0;
};

// A question whose subject was found: what remains is to run it.
struct OpenedAnalysis {
  std::shared_ptr<const void> subject;       // what the analysis looks at, where it does not hold it itself
  std::unique_ptr<Preparation> preparation;  // null once there is nothing to prepare
  std::unique_ptr<Analysis> analysis;        // null until it is prepared
  v1::Provenance provenance;
  int64_t tokens = 0;       // of the snapshot that took part
  int64_t peak_bytes = 0;   // most that it takes in memory at once, the answer included
  bool takes_long = false;  // a job's work, however many units there are: some take long
};

}  // namespace superpose
