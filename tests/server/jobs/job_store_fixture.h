// What the suites of JobStore start from.
#pragma once

#include <google/protobuf/util/time_util.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "server/jobs/job_store.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/job_store_backends.h"
#include "tests/status_matchers.h"

namespace superpose {

inline constexpr absl::Duration kLease = absl::Seconds(60);
inline const absl::Time kStart = absl::FromUnixNanos(1'700'000'000'123'456'789);

inline absl::Time After(int seconds) { return kStart + absl::Seconds(seconds); }

inline google::protobuf::Timestamp StampOf(absl::Time time) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(time));
}

inline v1::Job TrainingJob(const std::string& owner = "ada", const std::string& request_id = "") {
  v1::Job job;
  v1::MidcoderTrainingSpec& spec = *job.mutable_train_midcoder();
  spec.add_transcoders("models/demo/transcoders/layer2");
  spec.set_corpus("corpora/demo");
  spec.set_steps(100);
  spec.set_lr(0);  // present, though it is the type's default
  job.set_owner(owner);
  job.set_request_id(request_id);
  return job;
}

inline std::vector<std::string> NamesOf(const std::vector<v1::Job>& jobs) {
  std::vector<std::string> names;
  names.reserve(jobs.size());
  for (const v1::Job& job : jobs) names.push_back(job.name());
  return names;
}

inline std::vector<std::string> NamesOf(const std::vector<ActiveJob>& jobs) {
  std::vector<std::string> names;
  names.reserve(jobs.size());
  for (const ActiveJob& job : jobs) names.push_back(job.name);
  return names;
}

inline auto LeaseLost() { return IsError(absl::StatusCode::kAborted, reason::kLeaseLost); }

class JobStoreTest : public testing::TestWithParam<JobStoreBackend> {
 protected:
  v1::Job Submit(const v1::Job& job = TrainingJob(), absl::Time now = kStart) {
    absl::StatusOr<v1::Job> submitted = store_->Submit(job, job, now);
    EXPECT_OK(submitted);
    return submitted.ok() ? *submitted : v1::Job();
  }
  JobClaim Claim(const std::string& name, absl::Time now = kStart) {
    absl::StatusOr<std::optional<JobClaim>> claim = store_->Claim(name, "worker", now, kLease);
    EXPECT_OK(claim);
    EXPECT_TRUE(claim.ok() && claim->has_value()) << name << " was not there to be claimed";
    return claim.ok() && claim->has_value() ? **claim : JobClaim();
  }
  v1::Job Get(const std::string& name) {
    absl::StatusOr<v1::Job> job = store_->Get(name);
    EXPECT_OK(job);
    return job.ok() ? *job : v1::Job();
  }
  v1::Job Finish(const JobClaim& claim, v1::JobState state = v1::JOB_STATE_SUCCEEDED, absl::Time now = kStart) {
    absl::StatusOr<v1::Job> job = store_->Finish(claim, {.state = state, .result = {}}, now);
    EXPECT_OK(job);
    return job.ok() ? *job : v1::Job();
  }
  void ExpectAllWritesRefused(const JobClaim& claim) {
    EXPECT_THAT(store_->Heartbeat(claim, kStart, kLease), LeaseLost());
    EXPECT_THAT(store_->Finish(claim, JobOutcome(), kStart), LeaseLost());
    EXPECT_THAT(store_->GiveBack(claim, kStart), LeaseLost());
  }

  std::unique_ptr<JobStorage> storage_ = GetParam().make_storage();
  std::shared_ptr<JobStore> store_ = storage_->Connect();
};

}  // namespace superpose
