#include "server/services/analysis_call.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "server/services/device_parts.h"

namespace superpose {

absl::Status AnswerAnalysis(DeviceExecutor* executor, MemoryBudget* budget, const std::shared_ptr<UnaryCall>& call,
                            const std::shared_ptr<StoredAnalysis>& analysis, v1::AnalysisResult* result) {
  // The answer is there twice: as tensors and as bytes of the message.
  const int64_t bytes = analysis->peak_bytes() + analysis->result_bytes();
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation room, budget->Reserve(MemoryUse::kRequest, bytes, "this analysis"));
  auto memory = std::make_shared<MemoryReservation>(std::move(room));
  PartedRequest request;
  request.run_part = [analysis, result]() -> absl::StatusOr<bool> {
    SUPERPOSE_ASSIGN_OR_RETURN(const bool done, analysis->RunUnit());
    if (!done) return false;
    SUPERPOSE_ASSIGN_OR_RETURN(StoredAnalysis::Answer answer, analysis->Take());
    *result = std::move(answer.result);
    Inline(answer.tensors, result);
    return true;
  };
  request.finish = [call, memory](const absl::Status& status) { call->Finish(status); };
  request.deadline = call->deadline();
  request.is_cancelled = [call] { return call->IsCancelled(); };
  RunInParts(executor, std::move(request));
  return absl::OkStatus();
}

}  // namespace superpose
