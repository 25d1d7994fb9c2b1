#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/analysis/stored_analysis.h"
#include "server/jobs/job_parts.h"
#include "server/jobs/job_work.h"
#include "server/jobs/long_slices.h"

namespace superpose {

// Answers a question to a snapshot, to directions or to a factorization. The answer's tensors stay in the job's folder
// for as long as the job is known: answer.safetensors. Begins anew after a restart.
class AnalysisWork final : public JobWork, public LongSlices {
 public:
  static constexpr char kAnswerFile[] = "answer.safetensors";

  static absl::StatusOr<std::unique_ptr<JobWork>> Create(const v1::Job& job, const JobParts& parts);

  absl::StatusOr<bool> RunSlice(const Budget& budget) override;
  bool NextIsLong() const override { return analysis_->NextIsLong(); }
  bool AtBoundary() const override { return true; }
  WorkReport Report() const override;
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& /*keep_writing*/) override { return false; }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override;

 private:
  AnalysisWork(const v1::Job& job, const JobParts& parts, std::unique_ptr<StoredAnalysis> analysis)
      : job_(job), parts_(parts), analysis_(std::move(analysis)) {}

  const v1::Job job_;
  const JobParts parts_;
  const std::unique_ptr<StoredAnalysis> analysis_;
  std::optional<StoredAnalysis::Answer> answer_;  // once all is done
};

// The tensors of the answer that a job gave, mapped. NAME_INVALID; NOT_FOUND / ARTIFACT_NOT_FOUND where it gave none.
absl::StatusOr<SafetensorsFile> OpenAnswer(const DataFolder& folder, JobStore* jobs, const std::string& job);

}  // namespace superpose
