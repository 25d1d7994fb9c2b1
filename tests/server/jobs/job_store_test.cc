// What every JobStore must do for those who submit jobs and look after them.
#include <google/protobuf/util/message_differencer.h>

#include <limits>
#include <map>
#include <set>

#include "tests/server/jobs/job_store_fixture.h"

namespace superpose {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::MatchesRegex;

TEST_P(JobStoreTest, ASubmittedJobIsQueuedAsItWasAskedFor) {
  v1::Job asked = TrainingJob("ada", "request");
  asked.set_priority(-3);
  const v1::Job job = Submit(asked);
  EXPECT_THAT(job.name(), MatchesRegex("jobs/[a-z0-9]+"));
  v1::Job expected = asked;
  expected.set_name(job.name());
  expected.set_state(v1::JOB_STATE_QUEUED);
  *expected.mutable_create_time() = StampOf(kStart);
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
    const absl::StatusOr<v1::Job> refused = store_->Submit(other, other, kStart);
    EXPECT_THAT(refused, IsError(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused));
    EXPECT_THAT(refused, MessageHas(job.name()));
  }
}

TEST_P(JobStoreTest, ARequestIsKnownByWhatWasSentWhateverDefaultsWereFilledIn) {
  v1::Job as_sent = TrainingJob("ada", "id");
  as_sent.mutable_train_midcoder()->clear_steps();
  ASSERT_OK_AND_ASSIGN(auto found, store_->FindSubmitted(as_sent));
  EXPECT_FALSE(found.has_value());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->Submit(TrainingJob("ada", "id"), as_sent, kStart));
  EXPECT_EQ(job.train_midcoder().steps(), 100);
  v1::Job other_default = TrainingJob("ada", "id");
  other_default.mutable_train_midcoder()->set_steps(200);
  ASSERT_OK_AND_ASSIGN(const v1::Job again, store_->Submit(other_default, as_sent, kStart));
  EXPECT_EQ(again.name(), job.name());
  ASSERT_OK_AND_ASSIGN(found, store_->FindSubmitted(as_sent));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->name(), job.name());
  EXPECT_THAT(store_->FindSubmitted(other_default),
              IsError(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused));
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

TEST_P(JobStoreTest, APageEndsBeforeItIsTooLongForAMessage) {
  v1::Job large = TrainingJob("ada");
  large.mutable_train_midcoder()->set_corpus(std::string(1 << 20, 'x'));
  for (int i = 0; i < 5; ++i) Submit(large);
  std::vector<size_t> sizes;
  std::string token;
  do {
    ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, 100, token));
    sizes.push_back(page.jobs.size());
    token = page.next_page_token;
  } while (!token.empty() && sizes.size() < 20);
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
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
  EXPECT_THAT(list({static_cast<v1::JobState>(77), static_cast<v1::JobState>(-1), v1::JOB_STATE_UNSPECIFIED}, ""),
              IsEmpty());
}

TEST_P(JobStoreTest, AnInventedPageTokenIsRefused) {
  for (const char* token : {"x", "-1", "0", "1 OR 1=1", "99999999999999999999"}) {
    EXPECT_THAT(store_->List({}, 2, token), IsError(absl::StatusCode::kInvalidArgument, reason::kPageTokenInvalid))
        << token;
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

TEST_P(JobStoreTest, AQueuedJobIsCancelledAtOnce) {
  const std::string name = Submit().name();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, store_->Cancel(name, After(4)));
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(job.cancel_requested());
  EXPECT_FALSE(job.has_start_time());
  EXPECT_EQ(job.end_time(), StampOf(After(4)));
}

TEST_P(JobStoreTest, CancellingTwiceIsNoError) {
  const std::string queued = Submit().name();
  ASSERT_OK(store_->Cancel(queued, kStart));
  ASSERT_OK_AND_ASSIGN(const v1::Job twice, store_->Cancel(queued, After(9)));
  EXPECT_EQ(twice.end_time(), StampOf(kStart));

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

INSTANTIATE_TEST_SUITE_P(Backends, JobStoreTest, testing::ValuesIn(JobStoreBackends()), BackendName);

}  // namespace
}  // namespace superpose
