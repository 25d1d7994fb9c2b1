#include "server/jobs/analysis_work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/runtime/reasons.h"

namespace superpose {

absl::StatusOr<std::unique_ptr<JobWork>> AnalysisWork::Create(const v1::Job& job, const JobParts& parts) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<StoredAnalysis> analysis,
                             StoredAnalysis::Open(job.analyze_snapshot(), SourcesOf(parts)));
  return std::unique_ptr<JobWork>(new AnalysisWork(job, parts, std::move(analysis)));
}

absl::StatusOr<SafetensorsFile> OpenAnswer(const DataFolder& folder, JobStore* jobs, const std::string& job) {
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::Job found, jobs->Get(job));
  if (!found.has_analysis()) {
    return NotFound(reason::kArtifactNotFound, job, " has no tensors: only jobs that have answered a question do");
  }
  return SafetensorsFile::Open(absl::StrCat(folder.FolderOf(job), "/", AnalysisWork::kAnswerFile));
}

absl::StatusOr<bool> AnalysisWork::RunSlice(const Budget& budget) {
  bool done = false;
  do {
    SUPERPOSE_ASSIGN_OR_RETURN(done, analysis_->RunUnit());
  } while (!done && !analysis_->NextIsLong() && !budget.Exhausted());
  if (!done) return false;
  SUPERPOSE_ASSIGN_OR_RETURN(answer_, analysis_->Take());
  return true;
}

WorkReport AnalysisWork::Report() const {
  WorkReport report;
  report.progress.set_unit("units");
  report.progress.set_done(analysis_->units_done());
  report.progress.set_total(analysis_->units());
  return report;
}

absl::StatusOr<v1::Job> AnalysisWork::Finish(const KeepWriting& keep_writing) {
  const std::string folder = parts_.folder->FolderOf(job_.name());
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  SUPERPOSE_RETURN_IF_ERROR(
      WriteSafetensors(folder + "/" + kAnswerFile, answer_->tensors, {{"format", "superpose.answer"}}, keep_writing));
  v1::Job result;
  *result.mutable_analysis() = answer_->result;
  result.mutable_analysis()->set_tensors_are_stored(true);
  return result;
}

}  // namespace superpose
