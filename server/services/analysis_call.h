#pragma once

#include <memory>

#include "absl/status/status.h"
#include "server/analysis/stored_analysis.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/services/call.h"

namespace superpose {

// Lets the device work the answer out, unit by unit, and ends the call with it. An error before that is returned:
// MEMORY_EXCEEDED.
absl::Status AnswerAnalysis(DeviceExecutor* executor, MemoryBudget* budget, const std::shared_ptr<UnaryCall>& call,
                            const std::shared_ptr<StoredAnalysis>& analysis, v1::AnalysisResult* result);

}  // namespace superpose
