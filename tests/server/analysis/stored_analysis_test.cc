// Questions to stored snapshots.
#include "server/analysis/stored_analysis.h"

#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

using testing::AllOf;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class StoredAnalysisTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(folder_.path());
    snapshot_ = Collect(*rig_, TinyCollection());
  }
  absl::StatusOr<std::unique_ptr<StoredAnalysis>> Open(const v1::AnalysisSpec& spec) {
    return StoredAnalysis::Open(spec, {TinyRegistry(), &rig_->snapshots(), &rig_->factorizations()});
  }
  v1::AnalysisSpec Spec(const std::string& snapshot = "") const {
    v1::AnalysisSpec spec;
    spec.set_snapshot(snapshot.empty() ? snapshot_.name() : snapshot);
    return spec;
  }
  StoredAnalysis::Answer Run(const v1::AnalysisSpec& spec) {
    StoredAnalysis::Answer answer;
    auto analysis = Open(spec);
    EXPECT_OK(analysis);
    if (!analysis.ok()) return answer;
    EXPECT_GE((*analysis)->units(), 1);
    for (int64_t unit = 1; unit <= (*analysis)->units(); ++unit) {
      const auto last = (*analysis)->RunUnit();
      EXPECT_OK(last);
      EXPECT_EQ(last.value_or(false), unit == (*analysis)->units());
    }
    auto taken = (*analysis)->Take();
    EXPECT_OK(taken);
    if (taken.ok()) answer = *std::move(taken);
    return answer;
  }
  // The snapshot once more, with facts that `change` has changed.
  std::string Changed(const std::function<void(v1::Snapshot*)>& change) {
    v1::Snapshot snapshot = snapshot_;
    snapshot.clear_job();
    change(&snapshot);
    const auto added = rig_->snapshots().Add(snapshot, TensorsOf(*rig_, snapshot_.name()), absl::UnixEpoch());
    EXPECT_OK(added);
    return added.ok() ? added->name() : "";
  }

  TemporaryFolder folder_;
  std::optional<ManagerRig> rig_;
  v1::Snapshot snapshot_;
};

TEST_F(StoredAnalysisTest, AnAnswerSaysWhatItIsOf) {
  v1::AnalysisSpec spec = Spec();
  spec.mutable_frequencies()->set_by(v1::FREQUENCY_SOURCE_SNAPSHOT);
  const StoredAnalysis::Answer answer = Run(spec);
  EXPECT_EQ(answer.result.provenance().transcoder_hash(), snapshot_.provenance().transcoder_hash());
  EXPECT_EQ(answer.result.tokens(), snapshot_.tokens());
  EXPECT_EQ(answer.result.spec().snapshot(), snapshot_.name());
  ASSERT_GE(answer.result.tensors_size(), 5);
  EXPECT_EQ(answer.result.tensors(0).info().name(), "feature");
  EXPECT_EQ(answer.result.tensors(1).info().name(), "count");
  const at::Tensor counts = TensorsOf(*rig_, snapshot_.name()).at("act_counts");
  EXPECT_TRUE(at::equal(answer.tensors.at("count"), counts.index_select(0, answer.tensors.at("feature"))));
  EXPECT_EQ(answer.tensors.at("count")[0].item<int64_t>(), counts.max().item<int64_t>()) << "the most frequent first";
}

TEST_F(StoredAnalysisTest, BytesAreTheTensorsOwn) {
  v1::AnalysisSpec spec = Spec();
  spec.mutable_frequencies();
  StoredAnalysis::Answer answer = Run(spec);
  for (const v1::ResultTensor& tensor : answer.result.tensors()) EXPECT_TRUE(tensor.data().empty());
  Inline(answer.tensors, &answer.result);
  for (const v1::ResultTensor& tensor : answer.result.tensors()) {
    const at::Tensor& values = answer.tensors.at(tensor.info().name());
    ASSERT_EQ(tensor.data().size(), values.nbytes()) << tensor.info().name();
    EXPECT_EQ(tensor.data(), std::string(static_cast<const char*>(values.const_data_ptr()), values.nbytes()));
  }
}

TEST_F(StoredAnalysisTest, SmallAnswersAreGivenAtOnceAndLargeOnesByAJob) {
  v1::AnalysisSpec spec = Spec();
  spec.mutable_coactive()->set_feature(3);
  EXPECT_FALSE((*Open(spec))->TakesLong());
  spec.mutable_frequency_products()->set_most(1'000'000);
  const auto large = Open(spec);
  ASSERT_OK(large);
  EXPECT_GT((*large)->result_bytes(), int64_t{4} << 20);
  EXPECT_TRUE((*large)->TakesLong());
}

TEST_F(StoredAnalysisTest, AGroupThatWasNotCollectedIsNamed) {
  const v1::Snapshot only_features = Collect(*rig_, TinyCollection([](v1::StatisticsSpec* spec) {
    spec->mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  }));
  v1::AnalysisSpec spec = Spec(only_features.name());
  spec.mutable_frequencies();
  EXPECT_OK(Open(spec));
  spec.mutable_pairs();
  EXPECT_THAT(Open(spec), AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("PAIRS")));
  spec.mutable_feature_units();
  EXPECT_THAT(Open(spec), AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("GATES")));
  spec.mutable_pre_activations();
  EXPECT_THAT(Open(spec), AllOf(IsError(kPrecondition, reason::kSnapshotTensorMissing), MessageHas("UNITS")));
}

TEST_F(StoredAnalysisTest, WithoutAMidcoderNothingIsPredicted) {
  v1::AnalysisSpec spec = Spec();
  spec.mutable_predicted_decoders();
  EXPECT_THAT(Open(spec), IsError(kPrecondition, reason::kSnapshotTensorMissing));
}

TEST_F(StoredAnalysisTest, WithOneItsParametersAreTheSnapshots) {
  const v1::Job trained = rig_->WaitForEnd(rig_->Submit(TinyTraining(3)).name());
  ASSERT_EQ(trained.state(), v1::JOB_STATE_SUCCEEDED) << trained.error().message();
  ASSERT_OK_AND_ASSIGN(const v1::Midcoder midcoder, rig_->midcoders().Get(trained.trained_midcoders().midcoders(0)));
  const std::string name = Collect(*rig_, TinyCollection(nullptr, {midcoder})).name();
  ASSERT_OK(rig_->midcoders().Delete(midcoder.name()));
  v1::AnalysisSpec spec = Spec(name);
  spec.mutable_predicted_decoders()->mutable_features()->mutable_range()->set_stop(256);
  const StoredAnalysis::Answer answer = Run(spec);
  EXPECT_EQ(answer.result.spec().predicted_decoders().method(), v1::PREDICTION_METHOD_ACT_GATE);
  const at::Tensor cosines = answer.tensors.at("cosine");
  EXPECT_EQ(cosines.numel(), 256);
  int64_t undefined = 0;
  for (const auto& [tensor_name, tensor] : answer.tensors) undefined += tensor.isnan().sum().item<int64_t>();
  EXPECT_EQ(answer.result.undefined(), undefined);
  EXPECT_EQ(answer.result.figures().count("median_cosine"), 1U);
}

TEST_F(StoredAnalysisTest, AnotherTranscoderOrModelThanItsOwnIsRefused) {
  v1::AnalysisSpec spec =
      Spec(Changed([](v1::Snapshot* snapshot) { snapshot->mutable_provenance()->set_transcoder_hash("another"); }));
  spec.mutable_frequencies();
  EXPECT_THAT(Open(spec), AllOf(IsError(kPrecondition, reason::kSnapshotMismatch), MessageHas("another")));
  spec.set_snapshot(Changed([](v1::Snapshot* snapshot) { snapshot->mutable_provenance()->set_model_hash("another"); }));
  EXPECT_THAT(Open(spec), IsError(kPrecondition, reason::kSnapshotMismatch));
}

TEST_F(StoredAnalysisTest, OneThatIsNotLoadedIsNamed) {
  const auto registry = LoadTinyRegistry();
  ASSERT_NE(registry, nullptr);
  ASSERT_OK(registry->RemoveModel("models/tiny"));
  v1::AnalysisSpec spec = Spec();
  spec.mutable_frequencies();
  EXPECT_THAT(StoredAnalysis::Open(spec, {registry.get(), &rig_->snapshots(), &rig_->factorizations()}),
              IsError(absl::StatusCode::kNotFound, reason::kModelNotFound));
}

TEST_F(StoredAnalysisTest, NamesOfNothingAreSaid) {
  v1::AnalysisSpec spec = Spec("snapshots/gone");
  spec.mutable_frequencies();
  EXPECT_THAT(Open(spec), IsError(absl::StatusCode::kNotFound, reason::kSnapshotNotFound));
  spec.set_snapshot("gone");
  EXPECT_THAT(Open(spec), IsError(kInvalid, reason::kNameInvalid));
}

TEST_F(StoredAnalysisTest, AnEmptyBandSaysWhatLiesAroundIt) {
  v1::AnalysisSpec spec = Spec();
  v1::FrequencyBand& band = *spec.mutable_frequencies()->mutable_features()->mutable_band();
  band.set_low(5);
  EXPECT_THAT(Open(spec), AllOf(IsError(kPrecondition, reason::kEmptySelection), MessageHas("log10 frequency")));
  band.set_low(-20);
  EXPECT_OK(Open(spec));
  band.set_by(v1::FREQUENCY_SOURCE_TRAINING);
  EXPECT_THAT(Open(spec), IsError(kPrecondition, reason::kFrequenciesMissing));
}

TEST_F(StoredAnalysisTest, AQuestionThatAsksNothingIsRefused) {
  EXPECT_THAT(Open(Spec()), IsError(kInvalid, reason::kConfigInvalid));
}

}  // namespace
}  // namespace superpose
