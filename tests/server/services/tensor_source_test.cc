// Whose tensors can be read by which names.
#include "server/services/tensor_source.h"

#include "server/jobs/analysis_work.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

constexpr auto kNotFound = absl::StatusCode::kNotFound;

class TensorSourceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(folder_.path());
    source_.emplace(TensorSource::Parts{.registry = TinyRegistry(),
                                        .folder = &rig_->folder(),
                                        .jobs = &rig_->store(),
                                        .midcoders = &rig_->midcoders(),
                                        .snapshots = &rig_->snapshots(),
                                        .factorizations = &rig_->factorizations(),
                                        .budget = &budget_,
                                        .executor = &rig_->executor()});
    snapshot_ = Collect(*rig_, TinyCollection());
  }
  absl::StatusOr<at::Tensor> Read(const std::string& resource, const std::string& tensor) {
    auto selection = source_->Select(resource, tensor, {});
    if (!selection.ok()) return selection.status();
    return selection->tensor();
  }

  TemporaryFolder folder_;
  MemoryBudget budget_{int64_t{1} << 30};
  std::optional<ManagerRig> rig_;
  std::optional<TensorSource> source_;
  v1::Snapshot snapshot_;
};

TEST_F(TensorSourceTest, SnapshotsHaveTheirSums) {
  ASSERT_OK_AND_ASSIGN(const at::Tensor counts, Read(snapshot_.name(), "act_counts"));
  EXPECT_TRUE(at::equal(counts, TensorsOf(*rig_, snapshot_.name()).at("act_counts")));
  EXPECT_THAT(Read(snapshot_.name(), "W_mid"), IsError(kNotFound, reason::kTensorMissing));
  EXPECT_THAT(Read("snapshots/gone", "counts"), IsError(kNotFound, reason::kSnapshotNotFound));
}

TEST_F(TensorSourceTest, JobsThatAnsweredAQuestionHaveItsTensors) {
  v1::Job job;
  job.set_owner("ada");
  job.mutable_analyze_snapshot()->set_snapshot(snapshot_.name());
  job.mutable_analyze_snapshot()->mutable_coactive()->set_feature(3);
  job.mutable_analyze_snapshot()->mutable_coactive()->set_min_count(1);
  const v1::Job end = rig_->WaitForEnd(rig_->Submit(job).name());
  ASSERT_EQ(end.state(), v1::JOB_STATE_SUCCEEDED) << end.error().message();
  ASSERT_GT(end.analysis().tensors_size(), 0);
  for (const v1::ResultTensor& tensor : end.analysis().tensors()) {
    ASSERT_OK_AND_ASSIGN(const at::Tensor values, Read(end.name(), tensor.info().name()));
    EXPECT_EQ(values.sizes().vec(), std::vector<int64_t>(tensor.info().shape().begin(), tensor.info().shape().end()));
  }
  EXPECT_THAT(Read(end.name(), "act_counts"), IsError(kNotFound, reason::kTensorMissing));
}

TEST_F(TensorSourceTest, FactorizationsHaveTheirFactors) {
  v1::Factorization facts;
  facts.set_factors(2);
  facts.set_width(2);
  const at::Tensor factors = at::eye(2, at::kFloat);
  ASSERT_OK_AND_ASSIGN(const v1::Factorization stored,
                       rig_->factorizations().Add(facts, {{"factors", factors}}, absl::UnixEpoch()));
  ASSERT_OK_AND_ASSIGN(const at::Tensor read, Read(stored.name(), "factors"));
  EXPECT_TRUE(at::equal(read, factors));
  EXPECT_THAT(Read(stored.name(), "directions"), IsError(kNotFound, reason::kTensorMissing));
  EXPECT_THAT(Read("factorizations/gone", "factors"), IsError(kNotFound, reason::kFactorizationNotFound));
}

TEST_F(TensorSourceTest, OtherJobsHaveNone) {
  EXPECT_THAT(Read(snapshot_.job(), "counts"), IsError(kNotFound, reason::kArtifactNotFound));
  EXPECT_THAT(Read("jobs/gone", "counts"), IsError(kNotFound, reason::kJobNotFound));
  EXPECT_THAT(Read("jobs/../superpose.db", "counts"), IsError(kNotFound, reason::kJobNotFound));
}

TEST_F(TensorSourceTest, OtherNamesAreNone) {
  EXPECT_THAT(Read("answers/a", "counts"), IsError(absl::StatusCode::kInvalidArgument, reason::kNameInvalid));
  EXPECT_THAT(Read("answers/a", "counts"), MessageHas("jobs/{job}"));
  EXPECT_THAT(Read("answers/a", "counts"), MessageHas("factorizations/{factorization}"));
  EXPECT_OK(Read("models/tiny/transcoders/layer1", "W_dec"));
}

}  // namespace
}  // namespace superpose
