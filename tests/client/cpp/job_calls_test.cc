#include <algorithm>

#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Property;
using ::testing::SizeIs;

using JobCallsTest = TinyServerTest;

TEST_F(JobCallsTest, ARunningJobIsCancelled) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(EndlessTraining()));
  ASSERT_OK(WaitUntilItRuns(client(), job.name()));
  ASSERT_OK(client().CancelJob(job.name()));
  // Twice is no error while it has not taken effect, and FAILED_PRECONDITION afterwards.
  EXPECT_THAT(client().WaitForJob(job.name()), FailsWith(absl::StatusCode::kCancelled, "JOB_CANCELLED"));
  ASSERT_OK_AND_ASSIGN(v1::Job after, client().GetJob(job.name()));
  EXPECT_EQ(after.state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobCallsTest, AQueuedJobIsCancelledAtOnce) {
  // One job of a user runs at a time: the second waits.
  ASSERT_OK_AND_ASSIGN(v1::Job first, client().TrainMidcoder(EndlessTraining()));
  ASSERT_OK(WaitUntilItRuns(client(), first.name()));
  ASSERT_OK_AND_ASSIGN(v1::Job second, client().TrainMidcoder(EndlessTraining()));
  EXPECT_EQ(second.state(), v1::JOB_STATE_QUEUED);
  ASSERT_OK_AND_ASSIGN(v1::Job cancelled, client().CancelJob(second.name()));
  EXPECT_EQ(cancelled.state(), v1::JOB_STATE_CANCELLED);
  ASSERT_OK(client().CancelJob(first.name()));
  EXPECT_THAT(client().WaitForJob(first.name()), FailsWith(absl::StatusCode::kCancelled, "JOB_CANCELLED"));
}

TEST_F(JobCallsTest, AJobThatHasEndedCannotBeCancelledButDeleted) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(ShortTraining()));
  ASSERT_OK(client().WaitForJob(job.name()));
  EXPECT_THAT(client().CancelJob(job.name()), FailsWith(absl::StatusCode::kFailedPrecondition, "JOB_ALREADY_FINISHED"));
  EXPECT_OK(client().DeleteJob(job.name()));
  EXPECT_THAT(client().GetJob(job.name()), FailsWith(absl::StatusCode::kNotFound, "JOB_NOT_FOUND"));
  EXPECT_THAT(client().DeleteJob(job.name()), FailsWith(absl::StatusCode::kNotFound, "JOB_NOT_FOUND"));
}

TEST_F(JobCallsTest, ARunningJobCannotBeDeleted) {
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().TrainMidcoder(EndlessTraining()));
  EXPECT_THAT(client().DeleteJob(job.name()), FailsWith(absl::StatusCode::kFailedPrecondition, "JOB_NOT_FINISHED"));
  ASSERT_OK(client().CancelJob(job.name()));
  EXPECT_THAT(client().WaitForJob(job.name()), FailsWith(absl::StatusCode::kCancelled, "JOB_CANCELLED"));
}

TEST_F(JobCallsTest, JobsAreListedNewestFirstAndByStateAndOwner) {
  ASSERT_OK_AND_ASSIGN(Client other, server().Connect({.user = "lister"}));
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(v1::Job job, other.TrainMidcoder(ShortTraining()));
    ASSERT_OK(other.WaitForJob(job.name()));
    names.insert(names.begin(), job.name());
  }
  ASSERT_OK_AND_ASSIGN(std::vector<v1::Job> mine, other.ListJobs({.owner = "lister"}));
  EXPECT_THAT(mine, ElementsAre(Property(&v1::Job::name, names[0]), Property(&v1::Job::name, names[1]),
                                Property(&v1::Job::name, names[2])));
  ASSERT_OK_AND_ASSIGN(std::vector<v1::Job> two, other.ListJobs({.owner = "lister", .limit = 2}));
  EXPECT_THAT(two, ElementsAre(Property(&v1::Job::name, names[0]), Property(&v1::Job::name, names[1])));
  ASSERT_OK_AND_ASSIGN(std::vector<v1::Job> failed,
                       other.ListJobs({.states = {v1::JOB_STATE_FAILED}, .owner = "lister"}));
  EXPECT_THAT(failed, SizeIs(0));
  ASSERT_OK_AND_ASSIGN(std::vector<v1::Job> done,
                       other.ListJobs({.states = {v1::JOB_STATE_SUCCEEDED, v1::JOB_STATE_FAILED}}));
  EXPECT_GE(done.size(), 3);
  EXPECT_THAT(done, Each(Property(&v1::Job::state, v1::JOB_STATE_SUCCEEDED)));
}

TEST_F(JobCallsTest, AJobThatDoesNotExistIsNotFound) {
  EXPECT_THAT(client().GetJob("jobs/none"), FailsWith(absl::StatusCode::kNotFound, "JOB_NOT_FOUND"));
  EXPECT_THAT(client().CancelJob("jobs/none"), FailsWith(absl::StatusCode::kNotFound, "JOB_NOT_FOUND"));
  EXPECT_THAT(client().WatchJob("jobs/none", nullptr), FailsWith(absl::StatusCode::kNotFound, "JOB_NOT_FOUND"));
  EXPECT_THAT(client().GetJob("none"), FailsWith(absl::StatusCode::kInvalidArgument, "NAME_INVALID"));
}

}  // namespace
}  // namespace superpose::client
