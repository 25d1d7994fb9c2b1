#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/analysis/analysis_sources.h"
#include "server/analysis/stored_analysis.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_store.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/worker.h"
#include "server/services/call.h"
#include "superpose/v1/analysis.pb.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// Which questions a call takes.
enum class AnalysisCall {
  kAnalyzeSnapshot,    // AnalysisSpec 2 to 12
  kAnalyzeDirections,  // AnalysisSpec 13 to 19
};

// Answers questions for the calls that take them: at once, worked out by the device unit by unit, or with a job where
// it would take long.
class AnalysisDesk {
 public:
  // All must outlive this.
  struct Parts {
    AnalysisSources sources = {};
    MemoryBudget* budget = nullptr;
    JobManager* jobs = nullptr;
    JobStore* job_store = nullptr;
    DeviceExecutor* executor = nullptr;
    Worker* worker = nullptr;  // which opens what questions are asked of
  };
  explicit AnalysisDesk(const Parts& parts) : parts_(parts) {}

  // For Answer(), and for whatever else looks at directions.
  Worker* worker() const { return parts_.worker; }
  // CONFIG_INVALID for a message with more ids than any question can have. To be asked before it is copied.
  static absl::Status CheckSize(const google::protobuf::Message& spec);

  // On the worker's thread (StartOnWorker): blocks on disk. Ends the call, or gives it to the device, unless there is
  // an error: CONFIG_INVALID (CheckSize; a question for another call: names that), MEMORY_EXCEEDED, QUEUE_FULL,
  // REQUEST_ID_REUSED, and those of StoredAnalysis::Open. Nothing large is read before memory is promised for it, and
  // where a job results, nothing at all. A call that is cancelled ends between two units. Request and response:
  // AnalyzeSnapshot's or AnalyzeDirections's.
  template <typename Request, typename Response>
  absl::Status Answer(AnalysisCall which, const std::shared_ptr<UnaryCall>& call, const Request& request,
                      Response* response) const {
    return Answer(which, call, {request.spec(), request.request_id(), request.as_job()},
                  {[response] { return response->mutable_result(); }, [response] { return response->mutable_job(); }});
  }

 private:
  struct Question {
    const v1::AnalysisSpec& spec;
    const std::string& request_id;
    bool as_job;
  };
  // Where the one answer goes.
  struct Reply {
    std::function<v1::AnalysisResult*()> result;
    std::function<v1::Job*()> job;
  };
  absl::Status Answer(AnalysisCall which, const std::shared_ptr<UnaryCall>& call, const Question& question,
                      const Reply& reply) const;
  absl::Status SubmitJob(const v1::Job& as_sent, const StoredAnalysis& analysis, const Reply& reply) const;

  const Parts parts_;
};

}  // namespace superpose
