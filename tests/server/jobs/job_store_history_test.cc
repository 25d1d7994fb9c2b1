// A random life of a queue, against a model of it that is short enough to be seen to be right.
#include <algorithm>
#include <map>
#include <random>
#include <tuple>

#include "lib/base/error.h"
#include "server/jobs/job_store.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/job_store_backends.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr absl::Duration kLease = absl::Seconds(10);

struct ModelJob {
  std::string name;
  std::string owner;
  std::string request_id;
  v1::JobState state = v1::JOB_STATE_QUEUED;
  bool cancel_requested = false;
  int64_t done = 0;
  int64_t attempt = 0;
  int64_t token = 0;
  absl::Time lease_expires{};
  bool deleted = false;
};

bool Ended(const ModelJob& job) { return job.state >= v1::JOB_STATE_SUCCEEDED; }

void SetBack(ModelJob* job) {
  job->state = job->cancel_requested ? v1::JOB_STATE_CANCELLED : v1::JOB_STATE_QUEUED;
  job->cancel_requested = false;
}

class JobStoreHistoryTest : public testing::TestWithParam<std::tuple<JobStoreBackend, int>> {
 protected:
  void Act();
  void Submit();
  void Claim();
  void Write();
  void Cancel();
  void Delete();
  void Recover();
  void Check();

  int64_t Choose(int64_t choices) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(choices)); }
  // Any job, also one that was deleted.
  ModelJob* AnyJob() { return jobs_.empty() ? nullptr : &jobs_[Choose(static_cast<int64_t>(jobs_.size()))]; }
  bool Holds(const JobClaim& claim, const ModelJob& job) const {
    return !job.deleted && job.state == v1::JOB_STATE_RUNNING && job.token == claim.fencing_token;
  }
  ModelJob* Find(const std::string& name) {
    return &*std::find_if(jobs_.begin(), jobs_.end(), [&](const ModelJob& job) { return job.name == name; });
  }

  std::mt19937_64 random_{static_cast<uint64_t>(std::get<1>(GetParam()))};
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::unique_ptr<JobStorage> storage_ = std::get<0>(GetParam()).make_storage();
  std::shared_ptr<JobStore> store_ = storage_->Connect();
  std::vector<ModelJob> jobs_;    // in the order of submission
  std::vector<JobClaim> claims_;  // every one that was ever given
};

void JobStoreHistoryTest::Submit() {
  v1::Job job;
  job.set_owner(Choose(2) == 0 ? "ada" : "grace");
  job.set_request_id(Choose(3) == 0 ? absl::StrCat("id", Choose(20)) : "");
  job.mutable_evaluate_midcoder()->set_tokens(Choose(2));
  const auto before = std::find_if(jobs_.begin(), jobs_.end(), [&](const ModelJob& other) {
    return !other.deleted && !job.request_id().empty() && other.request_id == job.request_id() &&
           other.owner == job.owner();
  });
  const absl::StatusOr<v1::Job> submitted = store_->Submit(job, job, now_);
  if (before == jobs_.end()) {
    ASSERT_OK(submitted);
    ModelJob made;
    made.name = submitted->name();
    made.owner = job.owner();
    made.request_id = job.request_id();
    jobs_.push_back(made);
    return;
  }
  ASSERT_OK_AND_ASSIGN(const v1::Job first, store_->Get(before->name));
  if (first.evaluate_midcoder().tokens() == job.evaluate_midcoder().tokens()) {
    ASSERT_OK(submitted);
    EXPECT_EQ(submitted->name(), before->name);
  } else {
    EXPECT_THAT(submitted, IsError(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused));
  }
}

void JobStoreHistoryTest::Claim() {
  ModelJob* job = AnyJob();
  if (job == nullptr) return;
  ASSERT_OK_AND_ASSIGN(const auto claim, store_->Claim(job->name, "worker", now_, kLease));
  ASSERT_EQ(claim.has_value(), !job->deleted && job->state == v1::JOB_STATE_QUEUED);
  if (!claim.has_value()) return;
  EXPECT_GT(claim->fencing_token, job->token);
  job->state = v1::JOB_STATE_RUNNING;
  job->token = claim->fencing_token;
  job->lease_expires = now_ + kLease;
  ++job->attempt;
  claims_.push_back(*claim);
}

// A write of some worker, living or long dead.
void JobStoreHistoryTest::Write() {
  if (claims_.empty()) return;
  // Mostly one of the newest, which may still hold its job.
  const auto back = static_cast<size_t>(std::min<int64_t>(Choose(3) == 0 ? Choose(1000) : Choose(5), 1000));
  JobClaim claim = claims_[claims_.size() - 1 - std::min(back, claims_.size() - 1)];
  ModelJob* job = Find(claim.job.name());
  const bool holds = Holds(claim, *job);
  const int64_t done = Choose(100);
  claim.job.mutable_progress()->set_done(done);
  const int64_t kind = Choose(6);
  const auto state = static_cast<v1::JobState>(v1::JOB_STATE_SUCCEEDED + Choose(3));
  const absl::Status status = kind < 4    ? store_->Heartbeat(claim, now_, kLease).status()
                              : kind == 4 ? store_->Finish(claim, {.state = state, .result = {}}, now_).status()
                                          : store_->GiveBack(claim, now_).status();
  if (!holds) {
    EXPECT_THAT(status, IsError(absl::StatusCode::kAborted, reason::kLeaseLost));
    return;
  }
  ASSERT_OK(status);
  if (kind <= 4) job->done = done;
  if (kind < 4) job->lease_expires = now_ + kLease;
  if (kind == 4) {
    job->state = state;
    job->cancel_requested = false;
  }
  if (kind == 5) SetBack(job);
}

void JobStoreHistoryTest::Cancel() {
  ModelJob* job = AnyJob();
  if (job == nullptr) return;
  const absl::Status status = store_->Cancel(job->name, now_).status();
  if (job->deleted) {
    EXPECT_THAT(status, IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
  } else if (job->state == v1::JOB_STATE_SUCCEEDED || job->state == v1::JOB_STATE_FAILED) {
    EXPECT_THAT(status, IsError(absl::StatusCode::kFailedPrecondition, reason::kJobAlreadyFinished));
  } else {
    ASSERT_OK(status);
    if (job->state == v1::JOB_STATE_QUEUED) job->state = v1::JOB_STATE_CANCELLED;
    if (job->state == v1::JOB_STATE_RUNNING) job->cancel_requested = true;
  }
}

void JobStoreHistoryTest::Delete() {
  ModelJob* job = AnyJob();
  if (job == nullptr) return;
  const absl::Status status = store_->Delete(job->name);
  if (job->deleted) {
    EXPECT_THAT(status, IsError(absl::StatusCode::kNotFound, reason::kJobNotFound));
  } else if (!Ended(*job)) {
    EXPECT_THAT(status, IsError(absl::StatusCode::kFailedPrecondition, reason::kJobNotFinished));
  } else {
    ASSERT_OK(status);
    job->deleted = true;
  }
}

void JobStoreHistoryTest::Recover() {
  const bool all = Choose(4) == 0;
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> names, store_->Recover(now_, all));
  std::vector<std::string> expected;
  for (ModelJob& job : jobs_) {
    if (job.deleted || job.state != v1::JOB_STATE_RUNNING || !(all || job.lease_expires < now_)) continue;
    SetBack(&job);
    expected.push_back(job.name);
  }
  EXPECT_EQ(names, expected);
}

void JobStoreHistoryTest::Check() {
  std::map<v1::JobState, int64_t> counts;
  for (int state = v1::JOB_STATE_QUEUED; state <= v1::JOB_STATE_CANCELLED; ++state)
    counts[static_cast<v1::JobState>(state)];
  std::vector<std::string> active;
  ASSERT_OK_AND_ASSIGN(const JobPage page, store_->List({}, 10'000, ""));
  auto listed = page.jobs.rbegin();
  for (const ModelJob& job : jobs_) {
    if (job.deleted) continue;
    ++counts[job.state];
    if (!Ended(job)) active.push_back(job.name);
    ASSERT_NE(listed, page.jobs.rend());
    EXPECT_EQ(listed->name(), job.name);
    EXPECT_EQ(listed->state(), job.state) << job.name;
    EXPECT_EQ(listed->cancel_requested(), job.cancel_requested) << job.name;
    EXPECT_EQ(listed->progress().done(), job.done) << job.name;
    EXPECT_EQ(listed->attempt(), job.attempt) << job.name;
    EXPECT_EQ(listed->has_end_time(), Ended(job)) << job.name;
    ++listed;
  }
  EXPECT_EQ(listed, page.jobs.rend());
  ASSERT_OK_AND_ASSIGN(const auto counted, store_->CountByState());
  EXPECT_EQ(counted, counts);
  ASSERT_OK_AND_ASSIGN(const std::vector<ActiveJob> found, store_->Active());
  std::vector<std::string> names;
  names.reserve(found.size());
  for (const ActiveJob& job : found) names.push_back(job.name);
  EXPECT_EQ(names, active);
}

void JobStoreHistoryTest::Act() {
  now_ += absl::Seconds(Choose(3));
  switch (Choose(14)) {
    case 0:
    case 1:
    case 2:
      return Submit();
    case 3:
    case 4:
    case 5:
      return Claim();
    case 6:
      return Cancel();
    case 7:
      return Delete();
    case 8:
      return Recover();
    default:
      return Write();
  }
}

TEST_P(JobStoreHistoryTest, AnyHistoryGoesAsTheModelSays) {
  for (int step = 1; step <= 1000 && !HasFailure(); ++step) {
    SCOPED_TRACE(absl::StrCat("step ", step));
    ASSERT_NO_FATAL_FAILURE(Act());
    if (step % 25 == 0) {
      ASSERT_NO_FATAL_FAILURE(Check());
    }
    if (step % 300 == 0) store_ = storage_->Connect();  // as after a restart
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, JobStoreHistoryTest,
                         testing::Combine(testing::ValuesIn(JobStoreBackends()), testing::Range(1, 5)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param).name, "Seed", std::get<1>(info.param));
                         });

}  // namespace
}  // namespace superpose
