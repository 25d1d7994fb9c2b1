// Questions to a snapshot. Each is a small state machine whose units take about 50 ms, so that whoever runs it can give
// way, but for those that say that they take long; analysis.proto defines every result by its formula.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/midcoder/midcoder.h"
#include "lib/model/model.h"
#include "lib/statistics/snapshot_data.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// What questions are asked of. All must outlive the analysis.
struct AnalysisInputs {
  const SnapshotData* snapshot = nullptr;
  const Model* model = nullptr;
  const Transcoder* transcoder = nullptr;
  int64_t layer = 0;
  // The midcoder whose parameters the snapshot holds, on any device; null where it holds none.
  const Midcoder* midcoder = nullptr;
};

// The tensors are on the CPU, in the order that analysis.proto names them. NaN where something is not defined.
struct AnalysisOutput {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  std::map<std::string, double> figures;
  int64_t undefined = 0;
};

// Factories check everything that can be checked before work starts. RunUnit and Take may throw what LibTorch throws:
// call them inside CatchTorch.
class Analysis {
 public:
  virtual ~Analysis() = default;
  // How many units the work has, 1 or more.
  virtual int64_t units() const = 0;
  // Runs unit 0, 1, .. units() - 1, each once and in order.
  virtual void RunUnit(int64_t unit) = 0;
  // Whether the unit, which must be the next, takes much longer than the others, since it cannot be divided: LAPACK's
  // eigh of a large matrix.
  virtual bool IsLong(int64_t /*unit*/) const { return false; }
  // The answer, after the last unit; once.
  virtual AnalysisOutput Take() = 0;
  // Bytes of the answer's tensors, known before it is worked out (at most so many).
  virtual int64_t result_bytes() const = 0;
};

// Runs all units of a small analysis at once. COMPUTE_FAILED, OUT_OF_MEMORY.
absl::StatusOr<AnalysisOutput> RunAll(Analysis& analysis);

}  // namespace superpose
