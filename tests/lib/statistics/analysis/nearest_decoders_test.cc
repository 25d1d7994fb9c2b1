#include <set>

#include "lib/statistics/analysis/decoder_neighbors.h"
#include "tests/lib/statistics/analysis/decoder_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;

class NearestDecodersTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    rig_.emplace(device());
    rig_->UseSnapshot(rig_->ExactSums());
  }
  Found Ask(const NearestDecodersQuery& query) const { return AnswerOf(MakeNearestDecoders(rig_->inputs(), query)); }
  at::Tensor UnitDecoders() const { return Unit(Centred(rig_->W_dec())); }
  static at::Tensor Direction() { return at::arange(32, at::kDouble).mul(1.7).sin().to(at::kFloat); }

  std::optional<DecoderRig> rig_;
};
INSTANTIATE_TEST_SUITE_P(Devices, NearestDecodersTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(NearestDecodersTest, AreInOrderOfTheirCosineWithTheDirection) {
  const Found answer = Ask({.direction = Direction(), .k = 12});
  EXPECT_THAT(answer.order, ElementsAre("feature", "cosine", "rank", "block", "histogram_counts", "histogram_edges"));
  const at::Tensor direction = Direction().to(at::kDouble);
  const at::Tensor cosines = at::mv(UnitDecoders(), direction / direction.norm());
  const at::Tensor order = cosines.abs().argsort(-1, /*descending=*/true).slice(0, 0, 12);
  EXPECT_TRUE(at::equal(answer["feature"], order));
  EXPECT_TRUE(SameNumbers(answer["cosine"], cosines.index_select(0, order), 1e-6));
  const at::Tensor chosen = UnitDecoders().index_select(0, order);
  EXPECT_TRUE(SameNumbers(answer["block"], at::mm(chosen, chosen.t()), 1e-6));
  EXPECT_EQ(answer["histogram_counts"].sum().item<int64_t>(), 256);
}

TEST_P(NearestDecodersTest, OfAFeaturesOwnDecoderAreItsNeighbors) {
  const at::Tensor own = Centred(rig_->W_dec())[7] * 1e-3;
  const Found answer = Ask({.direction = own, .k = 20});
  const Found neighbors = AnswerOf(MakeDecoderNeighbors(rig_->inputs(), {.feature = 7, .k = 20}));
  EXPECT_TRUE(at::equal(answer["feature"], neighbors["feature"]));
  EXPECT_TRUE(SameNumbers(answer["cosine"], neighbors["cosine"], 1e-6));
  EXPECT_TRUE(at::equal(answer["rank"], neighbors["rank"]));
}

TEST_P(NearestDecodersTest, AreOfTheFeaturesThatWereChosen) {
  const Found answer = Ask({.direction = Direction(), .k = 100, .features = std::vector<int64_t>{9, 4, 200}});
  const std::vector<int64_t> ids = Integers(answer["feature"]);
  EXPECT_EQ(std::set<int64_t>(ids.begin(), ids.end()), (std::set<int64_t>{4, 9, 200}));
}

TEST_P(NearestDecodersTest, MayBePredicted) {
  const Found answer = Ask({.direction = Direction(), .k = 300, .decoders = {.kind = DecoderKind::kPredicted}});
  EXPECT_GT(answer.undefined, 0);
  EXPECT_EQ(answer["feature"].numel(), 256 - answer.undefined);
  EXPECT_FALSE(answer["cosine"].isnan().any().item<bool>());
}

TEST_P(NearestDecodersTest, NeedNoSnapshotNorFrequencies) {
  const auto bare = GoldenTranscoder(device());
  ASSERT_NE(bare, nullptr);
  AnalysisInputs inputs = rig_->inputs();
  inputs.snapshot = nullptr;
  const Found with = AnswerOf(MakeNearestDecoders(inputs, {.direction = Direction(), .k = 5}));
  EXPECT_TRUE(with["rank"].ge(0).all().item<bool>());
  inputs.transcoder = bare.get();
  const Found without = AnswerOf(MakeNearestDecoders(inputs, {.direction = Direction(), .k = 5}));
  EXPECT_TRUE(at::equal(without["feature"], with["feature"]));
  EXPECT_TRUE(without["rank"].eq(-1).all().item<bool>());
  EXPECT_TRUE(AnswerOf(MakeDecoderNeighbors(inputs, {.feature = 1, .k = 5}))["rank"].eq(-1).all().item<bool>());
}

TEST_P(NearestDecodersTest, RefuseADirectionThatIsNone) {
  const auto asked = [&](const at::Tensor& direction, int64_t k = 3) {
    return MakeNearestDecoders(rig_->inputs(), {.direction = direction, .k = k});
  };
  const auto mismatch = IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch);
  EXPECT_THAT(asked(at::Tensor()), mismatch);
  EXPECT_THAT(asked(at::ones({31})), mismatch);
  EXPECT_THAT(asked(at::ones({32}, at::kLong)), mismatch);
  EXPECT_THAT(asked(at::ones({1, 32})), mismatch);
  EXPECT_THAT(asked(at::zeros({32})), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(asked(Direction(), 0), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(asked(at::full({32}, std::nan(""))),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
}

}  // namespace
}  // namespace superpose
