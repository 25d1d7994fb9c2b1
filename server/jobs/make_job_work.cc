#include "lib/base/error.h"
#include "server/jobs/analysis_work.h"
#include "server/jobs/evaluation_work.h"
#include "server/jobs/factorization_work.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/merge_work.h"
#include "server/jobs/statistics_work.h"
#include "server/jobs/training_work.h"

namespace superpose {

absl::StatusOr<std::unique_ptr<JobWork>> MakeJobWork(const v1::Job& job, const JobParts& parts) {
  switch (job.spec_case()) {
    case v1::Job::kTrainMidcoder:
      return TrainingWork::Create(job, parts);
    case v1::Job::kEvaluateMidcoder:
      return EvaluationWork::Create(job, parts);
    case v1::Job::kCollectStatistics:
      return StatisticsWork::Create(job, parts);
    case v1::Job::kMergeSnapshots:
      return MergeWork::Create(job, parts);
    case v1::Job::kAnalyzeSnapshot:
      return AnalysisWork::Create(job, parts);
    case v1::Job::kFactorizeDecoders:
      return FactorizationWork::Create(job, parts);
    case v1::Job::SPEC_NOT_SET:
      break;
  }
  return FailedPrecondition(reason::kConfigInvalid, "this server does not know this kind of job");
}

}  // namespace superpose
