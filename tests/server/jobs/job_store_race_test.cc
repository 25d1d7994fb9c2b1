// What every JobStore must do when several ask it at once.
#include <atomic>
#include <thread>

#include "tests/server/jobs/job_store_fixture.h"

namespace superpose {
namespace {

using JobStoreRaceTest = JobStoreTest;

TEST_P(JobStoreRaceTest, OfTwoServersThatRaceForAJobExactlyOneGetsIt) {
  constexpr int kJobs = 50;
  std::vector<std::string> names;
  names.reserve(kJobs);
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

TEST_P(JobStoreRaceTest, OneStoreServesManyThreads) {
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

TEST_P(JobStoreRaceTest, TheSameRequestFromTwoServersAtOnceMakesOneJob) {
  constexpr int kRequests = 30;
  auto submit_all = [&] {
    const std::shared_ptr<JobStore> store = storage_->Connect();
    std::vector<std::string> names;
    for (int i = 0; i < kRequests; ++i) {
      const v1::Job wanted = TrainingJob("ada", absl::StrCat("id", i));
      const auto job = store->Submit(wanted, wanted, kStart);
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

INSTANTIATE_TEST_SUITE_P(Backends, JobStoreRaceTest, testing::ValuesIn(JobStoreBackends()), BackendName);

}  // namespace
}  // namespace superpose
