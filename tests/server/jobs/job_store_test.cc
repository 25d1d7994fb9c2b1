// What every JobStore must do.
#include "server/jobs/job_store.h"

#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>

#include <atomic>
#include <set>
#include <thread>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/job_store_backends.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;

constexpr absl::Duration kLease = absl::Seconds(60);
const absl::Time kStart = absl::FromUnixNanos(1'700'000'000'123'456'789);

absl::Time After(int seconds) { return kStart + absl::Seconds(seconds); }

v1::Job TrainingJob(const std::string& owner = "ada", const std::string& request_id = "") {
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

std::vector<std::string> NamesOf(const std::vector<v1::Job>& jobs) {
  std::vector<std::string> names;
  for (const v1::Job& job : jobs) names.push_back(job.name());
  return names;
}

std::vector<std::string> NamesOf(const std::vector<ActiveJob>& jobs) {
  std::vector<std::string> names;
  for (const ActiveJob& job : jobs) names.push_back(job.name);
  return names;
}

auto LeaseLost() { return IsError(absl::StatusCode::kAborted, reason::kLeaseLost); }

class JobStoreTest : public testing::TestWithParam<JobStoreBackend> {
 protected:
  v1::Job Submit(const v1::Job& job = TrainingJob(), absl::Time now = kStart) {
    absl::StatusOr<v1::Job> submitted = store_->Submit(job, now);
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

TEST_P(JobStoreTest, ASubmittedJobIsQueuedAsItWasAskedFor) {
  v1::Job asked = TrainingJob("ada", "request");
  asked.set_priority(-3);
  const v1::Job job = Submit(asked);
  EXPECT_THAT(job.name(), MatchesRegex("jobs/[a-z0-9]+"));
  v1::Job expected = asked;
  expected.set_name(job.name());
  expected.set_state(v1::JOB_STATE_QUEUED);
  *expected.mutable_create_time() = TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(kStart));
  EXPECT_TRUE(MessageDifferencer::Equals(job, expected)) << job.DebugString();
  EXPECT_TRUE(MessageDifferencer::Equals(Get(job.name()), expected));
}

TEST_P(JobStoreTest, OnlySpecOwnerPriorityAndRequestIdAreTakenFromASubmission) {
  v1::Job asked = TrainingJob();
  asked.set_name("jobs/mine");
  asked.set_state(v1::JOB_STATE_SUCCEEDED);
  asked.set_attempt(7);
  asked.mutable_trained_midcoders()->add_midcoders("midcoders/forged");
  (*asked.mutable_metrics())["loss"] = 1;
  const v1::Job job = Submit(asked);
  EXPECT_NE(job.name(), "jobs/mine");
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.attempt(), 0);
  EXPECT_EQ(job.result_case(), v1::Job::RESULT_NOT_SET);
  EXPECT_EQ(job.metrics_size(), 0);
}

TEST_P(JobStoreTest, ATextWithQuotesAndUnicodeIsKeptAsItIs) {
  const std::string odd = "o'Brien \"; DROP TABLE jobs; -- \xc3\xa9\xf0\x9f\xa6\x86";
  const v1::Job job = Submit(TrainingJob(odd, odd));
  EXPECT_EQ(Get(job.name()).owner(), odd);
  EXPECT_EQ(Submit(TrainingJob(odd, odd)).name(), job.name());
  ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({.states = {}, .owner = odd}, 10, ""));
  EXPECT_THAT(NamesOf(page.jobs), ElementsAre(job.name()));
}

TEST_P(JobStoreTest, AJobThatIsNotThereIsNotFound) {
  for (const char* name : {"jobs/none", "", "jobs/", "' OR 1=1 --", "jobs/../x"}) {
    const auto not_found = IsError(absl::StatusCode::kNotFound, reason::kJobNotFound);
    EXPECT_THAT(store_->Get(name), not_found);
    EXPECT_THAT(store_->Cancel(name, kStart), not_found);
    EXPECT_THAT(store_->Delete(name), not_found);
    ASSERT_OK_AND_ASSIGN(const auto claim, store_->Claim(name, "worker", kStart, kLease));
    EXPECT_FALSE(claim.has_value());
  }
}

TEST_P(JobStoreTest, TheSameRequestIdAndRequestGiveTheSameJob) {
  const v1::Job job = Submit(TrainingJob("ada", "id"));
  EXPECT_EQ(Submit(TrainingJob("ada", "id"), After(5)).name(), job.name());
  const JobClaim claim = Claim(job.name());
  EXPECT_EQ(Submit(TrainingJob("ada", "id")).state(), v1::JOB_STATE_RUNNING);
  Finish(claim);
  EXPECT_EQ(Submit(TrainingJob("ada", "id")).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_P(JobStoreTest, TheSameRequestIdWithAnotherRequestIsRefused) {
  const v1::Job job = Submit(TrainingJob("ada", "id"));
  v1::Job other_spec = TrainingJob("ada", "id");
  other_spec.mutable_train_midcoder()->clear_lr();  // absent is not 0
  v1::Job other_priority = TrainingJob("ada", "id");
  other_priority.set_priority(1);
  v1::Job other_kind = TrainingJob("ada", "id");
  other_kind.mutable_evaluate_midcoder()->set_midcoder("midcoders/m");
  for (const v1::Job& other : {other_spec, other_priority, other_kind}) {
    const absl::StatusOr<v1::Job> refused = store_->Submit(other, kStart);
    EXPECT_THAT(refused, IsError(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused));
    EXPECT_THAT(refused, MessageHas(job.name()));
  }
}

TEST_P(JobStoreTest, RequestIdsBelongToTheirOwners) {
  const v1::Job job = Submit(TrainingJob("ada", "id"));
  EXPECT_NE(Submit(TrainingJob("grace", "id")).name(), job.name());
}

TEST_P(JobStoreTest, AnEmptyRequestIdAlwaysMakesANewJob) {
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) names.insert(Submit(TrainingJob("ada", "")).name());
  EXPECT_EQ(names.size(), 20);
}

TEST_P(JobStoreTest, TheRequestIdOfADeletedJobIsFree) {
  const v1::Job job = Submit(TrainingJob("ada", "id"));
  ASSERT_OK(store_->Cancel(job.name(), kStart));
  ASSERT_OK(store_->Delete(job.name()));
  EXPECT_NE(Submit(TrainingJob("ada", "id")).name(), job.name());
}

TEST_P(JobStoreTest, ListsPageFromTheNewestToTheOldest) {
  std::vector<std::string> newest_first;
  for (int i = 0; i < 5; ++i) newest_first.insert(newest_first.begin(), Submit().name());
  std::vector<std::string> listed;
  std::string token;
  std::vector<size_t> sizes;
  do {
    ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, 2, token));
    for (const std::string& name : NamesOf(page.jobs)) listed.push_back(name);
    sizes.push_back(page.jobs.size());
    token = page.next_page_token;
  } while (!token.empty());
  EXPECT_EQ(listed, newest_first);
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_P(JobStoreTest, AFullLastPageSaysThatItIsTheLast) {
  Submit();
  Submit();
  ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, 2, ""));
  EXPECT_EQ(page.jobs.size(), 2);
  EXPECT_EQ(page.next_page_token, "");
}

TEST_P(JobStoreTest, WhatIsSubmittedOrDeletedBetweenPagesMovesNothing) {
  const std::string first = Submit().name();
  const std::string second = Submit().name();
  const std::string third = Submit().name();
  ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, 2, ""));
  EXPECT_THAT(NamesOf(page.jobs), ElementsAre(third, second));
  ASSERT_OK(store_->Cancel(second, kStart));
  ASSERT_OK(store_->Delete(second));  // the job that the token stands for
  Submit();
  ASSERT_OK_AND_ASSIGN(const JobPage next, store_->List({}, 2, page.next_page_token));
  EXPECT_THAT(NamesOf(next.jobs), ElementsAre(first));
}

TEST_P(JobStoreTest, ListsKeepToStatesAndOwner) {
  const std::string queued = Submit(TrainingJob("ada")).name();
  const std::string running = Submit(TrainingJob("ada")).name();
  const std::string cancelled = Submit(TrainingJob("grace")).name();
  Claim(running);
  ASSERT_OK(store_->Cancel(cancelled, kStart));
  auto list = [&](std::vector<v1::JobState> states, const std::string& owner) {
    absl::StatusOr<JobPage> page = store_->List({.states = std::move(states), .owner = owner}, 10, "");
    EXPECT_OK(page);
    return page.ok() ? NamesOf(page->jobs) : std::vector<std::string>{"error"};
  };
  EXPECT_THAT(list({}, ""), ElementsAre(cancelled, running, queued));
  EXPECT_THAT(list({}, "ada"), ElementsAre(running, queued));
  EXPECT_THAT(list({v1::JOB_STATE_CANCELLED, v1::JOB_STATE_QUEUED}, ""), ElementsAre(cancelled, queued));
  EXPECT_THAT(list({v1::JOB_STATE_CANCELLED}, "ada"), IsEmpty());
  EXPECT_THAT(list({}, "nobody"), IsEmpty());
  EXPECT_THAT(list({static_cast<v1::JobState>(77), static_cast<v1::JobState>(-1), v1::JOB_STATE_UNSPECIFIED}, ""), IsEmpty());
}

TEST_P(JobStoreTest, AnInventedPageTokenIsRefused) {
  for (const char* token : {"x", "-1", "0", "1 OR 1=1", "99999999999999999999"}) {
    EXPECT_THAT(store_->List({}, 2, token), IsError(absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid)) << token;
  }
}

TEST_P(JobStoreTest, PageSizesAtTheEdgesStillMoveOn) {
  Submit();
  Submit();
  for (const int64_t size : {int64_t{0}, int64_t{-5}}) {
    ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, size, ""));
    EXPECT_EQ(page.jobs.size(), 1);
  }
  ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, std::numeric_limits<int64_t>::max(), ""));
  EXPECT_EQ(page.jobs.size(), 2);
}

TEST_P(JobStoreTest, AClaimStartsTheJob) {
  const std::string name = Submit().name();
  const JobClaim claim = Claim(name, After(1));
  EXPECT_EQ(claim.job.name(), name);
  EXPECT_EQ(claim.job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(claim.job.attempt(), 1);
  EXPECT_EQ(claim.job.start_time(), TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(After(1))));
  EXPECT_TRUE(claim.job.has_train_midcoder());
  EXPECT_TRUE(MessageDifferencer::Equals(Get(name), claim.job));
}

TEST_P(JobStoreTest, AJobIsClaimedOnce) {
  const std::string name = Submit().name();
  Claim(name);
  ASSERT_OK_AND_ASSIGN(const auto second, store_->Claim(name, "other", kStart, kLease));
  EXPECT_FALSE(second.has_value());
}

TEST_P(JobStoreTest, AJobThatEndedIsNotClaimed) {
  const std::string name = Submit().name();
  ASSERT_OK(store_->Cancel(name, kStart));
  ASSERT_OK_AND_ASSIGN(const auto claim, store_->Claim(name, "worker", kStart, kLease));
  EXPECT_FALSE(claim.has_value());
}

TEST_P(JobStoreTest, AHeartbeatKeepsProgressAndMetricsAndTellsOfACancel) {
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

TEST_P(JobStoreTest, AHeartbeatChangesNothingElseOfTheJob) {
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

TEST_P(JobStoreTest, ASuccessHasItsResultAndItsEnd) {
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
  EXPECT_EQ(job.end_time(), TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(After(9))));
  EXPECT_TRUE(MessageDifferencer::Equals(Get(name), job));
}

TEST_P(JobStoreTest, AFailureHasItsErrorAndNoResult) {
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

TEST_P(JobStoreTest, ANumberThatIsNotFiniteIsKept) {
  JobClaim claim = Claim(Submit().name());
  (*claim.job.mutable_metrics())["loss"] = std::numeric_limits<double>::quiet_NaN();
  (*claim.job.mutable_metrics())["mse_mid"] = std::numeric_limits<double>::infinity();
  const v1::Job job = Finish(claim, v1::JOB_STATE_FAILED);
  EXPECT_TRUE(std::isnan(job.metrics().at("loss")));
  EXPECT_EQ(job.metrics().at("mse_mid"), std::numeric_limits<double>::infinity());
}

TEST_P(JobStoreTest, AJobCannotEndInAStateThatIsNoEnd) {
  const JobClaim claim = Claim(Submit().name());
  for (const v1::JobState state : {v1::JOB_STATE_UNSPECIFIED, v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING}) {
    EXPECT_THAT(store_->Finish(claim, {.state = state, .result = {}}, kStart),
                IsError(absl::StatusCode::kInternal, reason::kStorageFailed));
  }
  EXPECT_EQ(Get(claim.job.name()).state(), v1::JOB_STATE_RUNNING);
}

TEST_P(JobStoreTest, AfterTheEndTheClaimIsGoodForNothing) {
  const JobClaim claim = Claim(Submit().name());
  const v1::Job job = Finish(claim);
  ExpectAllWritesRefused(claim);
  EXPECT_TRUE(MessageDifferencer::Equals(Get(job.name()), job));
}

TEST_P(JobStoreTest, AStaleClaimCannotTouchTheJobOfTheNextOne) {
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

TEST_P(JobStoreTest, AClaimOfAJobThatWasDeletedIsRefused) {
  const JobClaim claim = Claim(Submit().name());
  Finish(claim);
  ASSERT_OK(store_->Delete(claim.job.name()));
  ExpectAllWritesRefused(claim);
}

TEST_P(JobStoreTest, AJobThatIsGivenBackWaitsInItsOldPlace) {
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
  EXPECT_EQ(again.job.start_time(), TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(After(1))));
}

TEST_P(JobStoreTest, AJobThatIsGivenBackAfterACancelIsCancelled) {
  const JobClaim claim = Claim(Submit().name());
  ASSERT_OK(store_->Cancel(claim.job.name(), kStart));
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->GiveBack(claim, After(2)));
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(job.cancel_requested());
  EXPECT_EQ(job.end_time(), TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(After(2))));
}

TEST_P(JobStoreTest, RecoverSetsBackExpiredLeasesOnly) {
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

TEST_P(JobStoreTest, RecoverAllSetsBackEveryRunningJob) {
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

TEST_P(JobStoreTest, AQueuedJobIsCancelledAtOnce) {
  const std::string name = Submit().name();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->Cancel(name, After(4)));
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(job.cancel_requested());
  EXPECT_FALSE(job.has_start_time());
  EXPECT_EQ(job.end_time(), TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(After(4))));
}

TEST_P(JobStoreTest, CancellingTwiceIsNoError) {
  const std::string queued = Submit().name();
  ASSERT_OK(store_->Cancel(queued, kStart));
  ASSERT_OK_AND_ASSIGN(const v1::Job twice, store_->Cancel(queued, After(9)));
  EXPECT_EQ(twice.end_time(), TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(kStart)));

  const JobClaim claim = Claim(Submit().name());
  ASSERT_OK(store_->Cancel(claim.job.name(), kStart));
  ASSERT_OK_AND_ASSIGN(const v1::Job running, store_->Cancel(claim.job.name(), kStart));
  EXPECT_EQ(running.state(), v1::JOB_STATE_RUNNING);
  EXPECT_TRUE(running.cancel_requested());
  EXPECT_FALSE(Finish(claim, v1::JOB_STATE_CANCELLED).cancel_requested());
  EXPECT_OK(store_->Cancel(claim.job.name(), kStart));
}

TEST_P(JobStoreTest, AJobThatSucceededOrFailedCannotBeCancelled) {
  for (const v1::JobState state : {v1::JOB_STATE_SUCCEEDED, v1::JOB_STATE_FAILED}) {
    const v1::Job job = Finish(Claim(Submit().name()), state);
    EXPECT_THAT(store_->Cancel(job.name(), kStart),
                IsError(absl::StatusCode::kFailedPrecondition, reason::kJobAlreadyFinished));
    EXPECT_TRUE(MessageDifferencer::Equals(Get(job.name()), job));
  }
}

TEST_P(JobStoreTest, OnlyAJobThatEndedIsDeleted) {
  const std::string name = Submit().name();
  const auto not_finished = IsError(absl::StatusCode::kFailedPrecondition, reason::kJobNotFinished);
  EXPECT_THAT(store_->Delete(name), not_finished);
  const JobClaim claim = Claim(name);
  EXPECT_THAT(store_->Delete(name), not_finished);
  Finish(claim);
  EXPECT_OK(store_->Delete(name));
  EXPECT_THAT(store_->Get(name), IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
  EXPECT_THAT(store_->Delete(name), IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
}

TEST_P(JobStoreTest, TheNameOfADeletedJobIsNotGivenAgain) {
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) {
    const std::string name = Submit().name();
    EXPECT_TRUE(names.insert(name).second);
    ASSERT_OK(store_->Cancel(name, kStart));
    ASSERT_OK(store_->Delete(name));
  }
}

TEST_P(JobStoreTest, ActiveJobsComeInTheOrderOfSubmission) {
  v1::Job urgent = TrainingJob("grace");
  urgent.set_priority(10);
  const std::string first = Submit().name();
  const std::string ended = Submit().name();
  const std::string third = Submit(urgent, kStart - absl::Hours(1)).name();  // neither priority nor the clock counts
  Claim(third);
  ASSERT_OK(store_->Cancel(ended, kStart));
  ASSERT_OK_AND_ASSIGN(const std::vector<ActiveJob> active, store_->Active());
  EXPECT_THAT(NamesOf(active), ElementsAre(first, third));
  EXPECT_EQ(active[0].owner, "ada");
  EXPECT_EQ(active[0].state, v1::JOB_STATE_QUEUED);
  EXPECT_EQ(active[1].owner, "grace");
  EXPECT_EQ(active[1].priority, 10);
  EXPECT_EQ(active[1].state, v1::JOB_STATE_RUNNING);
  EXPECT_LT(active[0].sequence, active[1].sequence);
}

TEST_P(JobStoreTest, EveryStateIsCounted) {
  Submit();
  Submit();
  Claim(Submit().name());
  Finish(Claim(Submit().name()), v1::JOB_STATE_FAILED);
  ASSERT_OK_AND_ASSIGN(const auto counts, store_->CountByState());
  EXPECT_EQ(counts, (std::map<v1::JobState, int64_t>{{v1::JOB_STATE_QUEUED, 2},
                                                     {v1::JOB_STATE_RUNNING, 1},
                                                     {v1::JOB_STATE_SUCCEEDED, 0},
                                                     {v1::JOB_STATE_FAILED, 1},
                                                     {v1::JOB_STATE_CANCELLED, 0}}));
}

TEST_P(JobStoreTest, EverythingIsThereAfterARestart) {
  const std::string queued = Submit(TrainingJob("ada", "id")).name();
  JobClaim claim = Claim(Submit().name());
  claim.job.mutable_progress()->set_done(5);
  ASSERT_OK(store_->Heartbeat(claim, kStart, kLease));
  const v1::Job waiting = Get(queued);
  const v1::Job running = Get(claim.job.name());
  store_ = nullptr;
  store_ = storage_->Connect();
  EXPECT_TRUE(MessageDifferencer::Equals(Get(queued), waiting));
  EXPECT_TRUE(MessageDifferencer::Equals(Get(running.name()), running));
  EXPECT_EQ(Submit(TrainingJob("ada", "id")).name(), queued);
  EXPECT_OK(store_->Heartbeat(claim, kStart, kLease));
  ASSERT_OK_AND_ASSIGN(const std::vector<ActiveJob> active, store_->Active());
  EXPECT_THAT(NamesOf(active), ElementsAre(queued, running.name()));
}

TEST_P(JobStoreTest, OfTwoServersThatRaceForAJobExactlyOneGetsIt) {
  constexpr int kJobs = 50;
  std::vector<std::string> names;
  for (int i = 0; i < kJobs; ++i) names.push_back(Submit().name());
  std::atomic<int> won = 0;
  std::atomic<int> failed = 0;
  auto claim_all = [&](const std::string& worker) {
    const std::shared_ptr<JobStore> store = storage_->Connect();
    for (const std::string& name : names) {
      const auto claim = store->Claim(name, worker, kStart, kLease);
      if (!claim.ok()) ++failed;
      if (claim.ok() && claim->has_value()) ++won;
    }
  };
  std::thread other([&] { claim_all("one"); });
  claim_all("two");
  other.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(won, kJobs);
}

TEST_P(JobStoreTest, OneStoreServesManyThreads) {
  constexpr int kJobs = 50;
  auto submit_and_claim = [&] {
    for (int i = 0; i < kJobs; ++i) Claim(Submit().name());
  };
  std::thread other(submit_and_claim);
  submit_and_claim();
  other.join();
  ASSERT_OK_AND_ASSIGN(const auto counts, store_->CountByState());
  EXPECT_EQ(counts.at(v1::JOB_STATE_RUNNING), 2 * kJobs);
}

TEST_P(JobStoreTest, TheSameRequestFromTwoServersAtOnceMakesOneJob) {
  constexpr int kRequests = 30;
  auto submit_all = [&] {
    const std::shared_ptr<JobStore> store = storage_->Connect();
    std::vector<std::string> names;
    for (int i = 0; i < kRequests; ++i) {
      const auto job = store->Submit(TrainingJob("ada", absl::StrCat("id", i)), kStart);
      names.push_back(job.ok() ? job->name() : job.status().ToString());
    }
    return names;
  };
  std::vector<std::string> others;
  std::thread other([&] { others = submit_all(); });
  const std::vector<std::string> names = submit_all();
  other.join();
  EXPECT_EQ(names, others);
  ASSERT_OK_AND_ASSIGN(const auto counts, store_->CountByState());
  EXPECT_EQ(counts.at(v1::JOB_STATE_QUEUED), kRequests);
}

INSTANTIATE_TEST_SUITE_P(Backends, JobStoreTest, testing::ValuesIn(JobStoreBackends()), BackendName);

}  // namespace
}  // namespace superpose
