#include "lib/statistics/analysis/analysis.h"

#include "lib/base/torch_guard.h"

namespace superpose {

absl::StatusOr<AnalysisOutput> RunAll(Analysis& analysis) {
  return CatchTorch([&]() -> absl::StatusOr<AnalysisOutput> {
    for (int64_t unit = 0; unit < analysis.units(); ++unit) analysis.RunUnit(unit);
    return analysis.Take();
  });
}

}  // namespace superpose
