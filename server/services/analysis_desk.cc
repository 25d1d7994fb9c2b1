#include "server/services/analysis_desk.h"

#include <memory>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/analysis/analysis_subject.h"
#include "server/services/analysis_call.h"

namespace superpose {
namespace {

// That the question is one for the call; one that asks nothing is refused where it is opened.
absl::Status CheckCall(AnalysisCall which, const v1::AnalysisSpec& spec) {
  const AnalysisSubject subject = SubjectOf(spec);
  if (subject == AnalysisSubject::kNone) return absl::OkStatus();
  const bool of_snapshot = subject == AnalysisSubject::kSnapshot;
  if (of_snapshot == (which == AnalysisCall::kAnalyzeSnapshot)) return absl::OkStatus();
  if (of_snapshot) {
    return InvalidArgument(reason::kConfigInvalid, "the spec asks a snapshot: call StatisticsService.AnalyzeSnapshot");
  }
  return InvalidArgument(reason::kConfigInvalid, "the spec asks directions or a factorization: call ",
                         "FactorizationService.AnalyzeDirections");
}

// A list of ids of the widest transcoders takes a tenth of it.
constexpr size_t kMostSpecBytes = size_t{4} << 20;

}  // namespace

absl::Status AnalysisDesk::CheckSize(const google::protobuf::Message& spec) {
  const size_t bytes = spec.ByteSizeLong();
  if (bytes <= kMostSpecBytes) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "the spec takes ", BytesInWords(static_cast<int64_t>(bytes)),
                         ", and may take ", BytesInWords(kMostSpecBytes),
                         ": name fewer features by their ids, or a range, a band or the top n");
}

absl::Status AnalysisDesk::SubmitJob(const v1::Job& as_sent, const StoredAnalysis& analysis, const Reply& reply) const {
  const auto resolve = [&](v1::Job job) -> absl::StatusOr<v1::Job> {
    SUPERPOSE_RETURN_IF_ERROR(parts_.budget->CheckCanEverFit(
        MemoryUse::kJob, analysis.peak_bytes(), "this analysis",
        "ask for fewer features, fewer eigenvalues or without values, or raise memory_limit_bytes"));
    *job.mutable_analyze_snapshot() = analysis.spec();
    return job;
  };
  SUPERPOSE_ASSIGN_OR_RETURN(*reply.job(), parts_.jobs->Submit(as_sent, resolve));
  return absl::OkStatus();
}

absl::Status AnalysisDesk::Answer(AnalysisCall which, const std::shared_ptr<UnaryCall>& call, const Question& question,
                                  const Reply& reply) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckCall(which, question.spec));
  SUPERPOSE_RETURN_IF_ERROR(CheckSize(question.spec));
  v1::Job as_sent;
  as_sent.set_owner(call->user());
  as_sent.set_request_id(question.request_id);
  *as_sent.mutable_analyze_snapshot() = question.spec;
  // Sent again, it gets its job, whatever has become of what it asks. An id that was used for something else matters
  // only if a job results.
  const auto before = parts_.job_store->FindSubmitted(as_sent);
  if (before.ok() && before->has_value()) {
    SUPERPOSE_ASSIGN_OR_RETURN(*reply.job(), parts_.jobs->Get((*before)->name()));
    call->Finish(absl::OkStatus());
    return absl::OkStatus();
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const std::shared_ptr<StoredAnalysis> analysis,
                             StoredAnalysis::Open(question.spec, parts_.sources));
  if (!question.as_job && !analysis->TakesLong()) {
    return AnswerAnalysis(parts_.executor, parts_.budget, call, analysis, reply.result());
  }
  SUPERPOSE_RETURN_IF_ERROR(SubmitJob(as_sent, *analysis, reply));
  call->Finish(absl::OkStatus());
  return absl::OkStatus();
}

}  // namespace superpose
