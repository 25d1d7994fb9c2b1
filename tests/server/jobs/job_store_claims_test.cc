// What every JobStore must do for those who work on jobs.
#include <google/protobuf/util/message_differencer.h>

#include <cmath>
#include <limits>

#include "tests/server/jobs/job_store_fixture.h"

namespace superpose {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::IsEmpty;

using JobStoreClaimsTest = JobStoreTest;

TEST_P(JobStoreClaimsTest, AClaimStartsTheJob) {
  const std::string name = Submit().name();
  const JobClaim claim = Claim(name, After(1));
  EXPECT_EQ(claim.job.name(), name);
  EXPECT_EQ(claim.job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(claim.job.attempt(), 1);
  EXPECT_EQ(claim.job.start_time(), StampOf(After(1)));
  EXPECT_TRUE(claim.job.has_train_midcoder());
  EXPECT_TRUE(MessageDifferencer::Equals(Get(name), claim.job));
}

TEST_P(JobStoreClaimsTest, AJobIsClaimedOnce) {
  const std::string name = Submit().name();
  Claim(name);
  ASSERT_OK_AND_ASSIGN(const auto second, store_->Claim(name, "other", kStart, kLease));
  EXPECT_FALSE(second.has_value());
}

TEST_P(JobStoreClaimsTest, AJobThatEndedIsNotClaimed) {
  const std::string name = Submit().name();
  ASSERT_OK(store_->Cancel(name, kStart));
  ASSERT_OK_AND_ASSIGN(const auto claim, store_->Claim(name, "worker", kStart, kLease));
  EXPECT_FALSE(claim.has_value());
}

TEST_P(JobStoreClaimsTest, AHeartbeatKeepsProgressAndMetricsAndTellsOfACancel) {
  const std::string name = Submit().name();
  JobClaim claim = Claim(name);
  claim.job.mutable_progress()->set_done(7);
  claim.job.mutable_progress()->set_unit("steps");
  (*claim.job.mutable_metrics())["loss"] = 0.25;
  ASSERT_OK_AND_ASSIGN(v1::Job job, store_->Heartbeat(claim, kStart, kLease));
  EXPECT_FALSE(job.cancel_requested());
  ASSERT_OK(store_->Cancel(name, kStart));
  ASSERT_OK_AND_ASSIGN(job, store_->Heartbeat(claim, kStart, kLease));
  EXPECT_TRUE(job.cancel_requested());
  EXPECT_EQ(Get(name).progress().done(), 7);
  EXPECT_EQ(Get(name).progress().unit(), "steps");
  EXPECT_EQ(Get(name).metrics().at("loss"), 0.25);
}

TEST_P(JobStoreClaimsTest, AHeartbeatChangesNothingElseOfTheJob) {
  const std::string name = Submit().name();
  JobClaim claim = Claim(name);
  claim.job.set_owner("mallory");
  claim.job.set_state(v1::JOB_STATE_FAILED);
  claim.job.mutable_train_midcoder()->set_steps(1);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->Heartbeat(claim, kStart, kLease));
  EXPECT_EQ(job.owner(), "ada");
  EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(job.train_midcoder().steps(), 100);
}

TEST_P(JobStoreClaimsTest, ASuccessHasItsResultAndItsEnd) {
  const std::string name = Submit().name();
  JobClaim claim = Claim(name);
  claim.job.mutable_progress()->set_done(100);
  (*claim.job.mutable_metrics())["loss"] = 0.5;
  JobOutcome outcome{.state = v1::JOB_STATE_SUCCEEDED, .result = {}};
  outcome.result.mutable_trained_midcoders()->add_midcoders("midcoders/a");
  outcome.result.mutable_error()->set_message("not to be kept");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->Finish(claim, outcome, After(9)));
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.trained_midcoders().midcoders(0), "midcoders/a");
  EXPECT_FALSE(job.has_error());
  EXPECT_EQ(job.progress().done(), 100);
  EXPECT_EQ(job.metrics().at("loss"), 0.5);
  EXPECT_EQ(job.end_time(), StampOf(After(9)));
  EXPECT_TRUE(MessageDifferencer::Equals(Get(name), job));
}

TEST_P(JobStoreClaimsTest, AFailureHasItsErrorAndNoResult) {
  const JobClaim claim = Claim(Submit().name());
  JobOutcome outcome{.state = v1::JOB_STATE_FAILED, .result = {}};
  outcome.result.mutable_evaluation()->set_tokens(3);
  outcome.result.mutable_error()->set_code(9);
  outcome.result.mutable_error()->set_message("it diverged");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->Finish(claim, outcome, kStart));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().message(), "it diverged");
  EXPECT_EQ(job.result_case(), v1::Job::RESULT_NOT_SET);
}

TEST_P(JobStoreClaimsTest, ANumberThatIsNotFiniteIsKept) {
  JobClaim claim = Claim(Submit().name());
  (*claim.job.mutable_metrics())["loss"] = std::numeric_limits<double>::quiet_NaN();
  (*claim.job.mutable_metrics())["mse_mid"] = std::numeric_limits<double>::infinity();
  const v1::Job job = Finish(claim, v1::JOB_STATE_FAILED);
  EXPECT_TRUE(std::isnan(job.metrics().at("loss")));
  EXPECT_EQ(job.metrics().at("mse_mid"), std::numeric_limits<double>::infinity());
}

TEST_P(JobStoreClaimsTest, AJobCannotEndInAStateThatIsNoEnd) {
  const JobClaim claim = Claim(Submit().name());
  for (const v1::JobState state : {v1::JOB_STATE_UNSPECIFIED, v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING}) {
    EXPECT_THAT(store_->Finish(claim, {.state = state, .result = {}}, kStart),
                IsError(absl::StatusCode::kInternal, reason::kStorageFailed));
  }
  EXPECT_EQ(Get(claim.job.name()).state(), v1::JOB_STATE_RUNNING);
}

TEST_P(JobStoreClaimsTest, AfterTheEndTheClaimIsGoodForNothing) {
  const JobClaim claim = Claim(Submit().name());
  const v1::Job job = Finish(claim);
  ExpectAllWritesRefused(claim);
  EXPECT_TRUE(MessageDifferencer::Equals(Get(job.name()), job));
}

TEST_P(JobStoreClaimsTest, AStaleClaimCannotTouchTheJobOfTheNextOne) {
  const std::string name = Submit().name();
  const JobClaim stale = Claim(name);
  ASSERT_OK_AND_ASSIGN(const auto recovered, store_->Recover(kStart + kLease + absl::Seconds(1), /*all=*/false));
  EXPECT_THAT(recovered, ElementsAre(name));
  ExpectAllWritesRefused(stale);  // nobody has it
  const JobClaim next = Claim(name, After(100));
  EXPECT_GT(next.fencing_token, stale.fencing_token);
  ExpectAllWritesRefused(stale);  // somebody else has it
  EXPECT_TRUE(MessageDifferencer::Equals(Get(name), next.job));
  EXPECT_OK(store_->Heartbeat(next, After(101), kLease));
}

TEST_P(JobStoreClaimsTest, AClaimOfAJobThatWasDeletedIsRefused) {
  const JobClaim claim = Claim(Submit().name());
  Finish(claim);
  ASSERT_OK(store_->Delete(claim.job.name()));
  ExpectAllWritesRefused(claim);
}

TEST_P(JobStoreClaimsTest, AJobThatIsGivenBackWaitsInItsOldPlace) {
  const std::string first = Submit().name();
  const std::string second = Submit().name();
  JobClaim claim = Claim(first, After(1));
  claim.job.mutable_progress()->set_done(3);
  ASSERT_OK(store_->Heartbeat(claim, After(1), kLease));
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->GiveBack(claim, After(2)));
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.progress().done(), 3);
  EXPECT_FALSE(job.has_end_time());
  ASSERT_OK_AND_ASSIGN(const std::vector<ActiveJob> active, store_->Active());
  EXPECT_THAT(NamesOf(active), ElementsAre(first, second));
  ExpectAllWritesRefused(claim);
  const JobClaim again = Claim(first, After(3));
  EXPECT_EQ(again.job.attempt(), 2);
  EXPECT_EQ(again.job.start_time(), StampOf(After(1)));
}

TEST_P(JobStoreClaimsTest, AJobThatIsGivenBackAfterACancelIsCancelled) {
  const JobClaim claim = Claim(Submit().name());
  ASSERT_OK(store_->Cancel(claim.job.name(), kStart));
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->GiveBack(claim, After(2)));
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(job.cancel_requested());
  EXPECT_EQ(job.end_time(), StampOf(After(2)));
}

TEST_P(JobStoreClaimsTest, RecoverSetsBackExpiredLeasesOnly) {
  const std::string expired = Submit().name();
  const std::string alive = Submit().name();
  const std::string queued = Submit().name();
  Claim(expired);
  const JobClaim beating = Claim(alive);
  ASSERT_OK(store_->Heartbeat(beating, After(30), kLease));
  ASSERT_OK_AND_ASSIGN(auto names, store_->Recover(kStart + kLease, /*all=*/false));
  EXPECT_THAT(names, IsEmpty());  // a lease holds up to its last moment
  ASSERT_OK_AND_ASSIGN(names, store_->Recover(kStart + kLease + absl::Nanoseconds(1), /*all=*/false));
  EXPECT_THAT(names, ElementsAre(expired));
  EXPECT_EQ(Get(expired).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(Get(alive).state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(Get(queued).state(), v1::JOB_STATE_QUEUED);
}

TEST_P(JobStoreClaimsTest, RecoverAllSetsBackEveryRunningJob) {
  const std::string first = Submit().name();
  const std::string second = Submit().name();
  const std::string done = Submit().name();
  Claim(second);
  Finish(Claim(done));
  ASSERT_OK_AND_ASSIGN(const auto forever, store_->Claim(first, "worker", kStart, absl::InfiniteDuration()));
  ASSERT_TRUE(forever.has_value());
  ASSERT_OK(store_->Cancel(second, kStart));
  ASSERT_OK_AND_ASSIGN(const auto names, store_->Recover(After(1), /*all=*/true));
  EXPECT_THAT(names, ElementsAre(first, second));
  EXPECT_EQ(Get(first).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(Get(second).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(Get(second).cancel_requested());
  EXPECT_TRUE(Get(second).has_end_time());
  EXPECT_EQ(Get(done).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_P(JobStoreClaimsTest, RecoveriesAreCountedUntilACheckpoint) {
  const std::string name = Submit().name();
  EXPECT_EQ(Claim(name).recoveries, 0);
  for (const int64_t recoveries : {1, 2}) {
    ASSERT_OK(store_->Recover(kStart, /*all=*/true));
    EXPECT_EQ(Claim(name).recoveries, recoveries);
  }
  ASSERT_OK(store_->Recover(kStart, /*all=*/true));
  const JobClaim claim = Claim(name);
  ASSERT_OK(store_->NoteCheckpoint(claim));
  ASSERT_OK(store_->GiveBack(claim, kStart));
  EXPECT_EQ(Claim(name).recoveries, 0);
  EXPECT_THAT(store_->NoteCheckpoint(claim), LeaseLost());
}

TEST_P(JobStoreClaimsTest, OnlyJobsThatAreTakenBackAreCounted) {
  const std::string given_back = Submit().name();
  const std::string held = Submit().name();
  const std::string queued = Submit().name();
  ASSERT_OK(store_->GiveBack(Claim(given_back), kStart));
  Claim(held);
  ASSERT_OK(store_->Recover(After(1), /*all=*/false));
  EXPECT_EQ(Claim(given_back).recoveries, 0);
  EXPECT_EQ(Claim(queued).recoveries, 0);
}

INSTANTIATE_TEST_SUITE_P(Backends, JobStoreClaimsTest, testing::ValuesIn(JobStoreBackends()), BackendName);

}  // namespace
}  // namespace superpose
