#include "lib/statistics/analysis/decoder_neighbors.h"

#include <set>

#include "tests/lib/statistics/analysis/decoder_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;

class DecoderNeighborsTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    rig_.emplace(device());
    rig_->UseSnapshot(rig_->ExactSums());
  }
  Found Ask(const DecoderNeighborsQuery& query) const { return AnswerOf(MakeDecoderNeighbors(rig_->inputs(), query)); }
  int64_t NeverActive() const { return rig_->z().sum(0).argmin().item<int64_t>(); }
  int64_t MostActive() const { return rig_->z().gt(0).sum(0).argmax().item<int64_t>(); }
  at::Tensor UnitDecoders() const { return Unit(Centred(rig_->W_dec())); }

  std::optional<DecoderRig> rig_;
};
INSTANTIATE_TEST_SUITE_P(Devices, DecoderNeighborsTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

// The notebook's twentieth feature by frequency. It does not centre decoders, which changes cosines a little; the order
// of its neighbors stands.
TEST_P(DecoderNeighborsTest, AreTheNotebooks) {
  const TensorMap golden = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  const at::Tensor sort_ids = golden.at("sort_ids").to(at::kLong);
  const auto feature = sort_ids[20].item<int64_t>();
  const Found answer = Ask({.feature = feature, .k = 12});
  EXPECT_THAT(answer.order, ElementsAre("feature", "cosine", "rank", "block", "histogram_counts", "histogram_edges"));
  const at::Tensor ranks = golden.at("neigh_topk_indices").to(at::kLong);
  EXPECT_TRUE(at::equal(answer["rank"], ranks));
  EXPECT_TRUE(at::equal(answer["feature"], sort_ids.index_select(0, ranks)));

  const at::Tensor raw = rig_->W_dec(), means = raw.mean(1);
  const at::Tensor lengths = raw.norm(2, at::IntArrayRef{1}), centred = Centred(raw).norm(2, at::IntArrayRef{1});
  const auto corrected = [&](const at::Tensor& cosines, const at::Tensor& rows, const at::Tensor& columns) {
    const auto outer = [&](const at::Tensor& v) {
      return v.index_select(0, rows).unsqueeze(1) * v.index_select(0, columns);
    };
    return (cosines.to(at::kDouble) * outer(lengths) - DecoderRig::kShape.d_model * outer(means)) / outer(centred);
  };
  const at::Tensor chosen = answer["feature"];
  EXPECT_TRUE(SameNumbers(answer["block"], corrected(golden.at("neigh_block"), chosen, chosen), 2e-6));
  const at::Tensor all = corrected(golden.at("neigh_cos").unsqueeze(0), Indices({feature}), sort_ids).squeeze(0);
  EXPECT_TRUE(SameNumbers(answer["cosine"], all.index_select(0, ranks), 1e-6));
  EXPECT_EQ(answer["histogram_counts"].sum().item<int64_t>(), 256);
  EXPECT_EQ(answer["histogram_counts"].numel(), 100);
  EXPECT_NEAR(answer["histogram_edges"][0].item<double>(), all.min().item<double>(), 1e-6);
  EXPECT_NEAR(answer["histogram_edges"][100].item<double>(), 1, 1e-6);
}

TEST_P(DecoderNeighborsTest, AllOfThemInOrderWhereKIsLarger) {
  const Found answer = Ask({.feature = 3, .k = 100000, .bins = 7});
  const at::Tensor cosines = at::mv(UnitDecoders(), UnitDecoders()[3]);
  ASSERT_EQ(answer["feature"].numel(), 256);
  EXPECT_EQ(answer["feature"][0].item<int64_t>(), 3);
  EXPECT_TRUE(SameNumbers(answer["cosine"], cosines.index_select(0, answer["feature"]), 1e-6));
  EXPECT_LE(answer["cosine"].abs().diff().max().item<double>(), 0);
  const at::Tensor chosen = UnitDecoders().index_select(0, answer["feature"]);
  EXPECT_TRUE(SameNumbers(answer["block"], at::mm(chosen, chosen.t()), 1e-6));
  EXPECT_EQ(answer["histogram_counts"].numel(), 7);
  EXPECT_EQ(Ask({.feature = 3, .k = 1})["cosine"].numel(), 1);
}

TEST_P(DecoderNeighborsTest, PredictedOnesAreOfTheFeaturesThatWereActive) {
  const at::Tensor c = at::mm(rig_->z().t(), rig_->gate()) / rig_->z().gt(0).sum(0).unsqueeze(1);
  const at::Tensor units = Unit(at::mm(c * rig_->W_eff(), rig_->W_out()));
  const int64_t feature = MostActive();
  const at::Tensor cosines = at::mv(units, units[feature]);
  const Found answer = Ask({.feature = feature, .k = 300, .decoders = {.kind = DecoderKind::kPredicted}});
  const int64_t undefined = cosines.isnan().sum().item<int64_t>();
  ASSERT_GT(undefined, 0);
  EXPECT_EQ(answer.undefined, undefined);
  EXPECT_EQ(answer["feature"].numel(), 256 - undefined);
  EXPECT_EQ(answer["histogram_counts"].sum().item<int64_t>(), 256 - undefined);
  EXPECT_TRUE(SameNumbers(answer["cosine"], cosines.index_select(0, answer["feature"]), 2e-6));
  EXPECT_FALSE(answer["block"].isnan().any().item<bool>());
}

TEST_P(DecoderNeighborsTest, AFeatureThatWasNeverActiveStandsAlone) {
  const int64_t feature = NeverActive();
  const Found answer = Ask({.feature = feature, .decoders = {.kind = DecoderKind::kPredicted}});
  EXPECT_TRUE(at::equal(answer["feature"], Indices({feature})));
  EXPECT_TRUE(answer["cosine"].isnan().all().item<bool>());
  EXPECT_TRUE(answer["block"].isnan().all().item<bool>());
  EXPECT_EQ(answer["histogram_counts"].sum().item<int64_t>(), 0);
  EXPECT_EQ(answer.undefined, 256);
  EXPECT_EQ(Ask({.feature = feature}).undefined, 0);
}

TEST_P(DecoderNeighborsTest, OfASnapshotOfSomeFeaturesEachIsThereOnce) {
  rig_->UseSnapshot(GoldenTensors("tiny_stats_d_mlp_f32.safetensors"));
  const at::Tensor ids = rig_->snapshot().feature_ids();
  const auto feature = ids[rig_->snapshot().ActCounts().argmax().item<int64_t>()].item<int64_t>();
  const Found answer = Ask({.feature = feature, .k = 256, .decoders = {.kind = DecoderKind::kPredicted}});
  const std::vector<int64_t> found = Integers(answer["feature"]);
  EXPECT_EQ(std::set<int64_t>(found.begin(), found.end()).size(), found.size());
  EXPECT_EQ(found.size() + answer.undefined, 65);
}

TEST_P(DecoderNeighborsTest, UnitsOfAnySizeAgree) {
  for (const DecoderKind kind : {DecoderKind::kReal, DecoderKind::kPredicted}) {
    const DecoderNeighborsQuery query = {.feature = MostActive(), .k = 40, .decoders = {.kind = kind}};
    const Found whole = Ask(query);
    for (const int64_t entries : {1, 1000, 20000}) {
      const Found parts = AnswerOf(MakeDecoderNeighbors(rig_->inputs(), query, entries));
      EXPECT_TRUE(SameNumbers(parts["cosine"].abs(), whole["cosine"].abs(), 1e-6));
      EXPECT_EQ(parts["block"].sizes(), whole["block"].sizes());
      EXPECT_NEAR(parts["block"].square().sum().item<double>(), whole["block"].square().sum().item<double>(), 1e-4);
    }
  }
}

TEST_P(DecoderNeighborsTest, WrongQuestionsAreRefused) {
  const auto reason = [&](const DecoderNeighborsQuery& query) {
    return ReasonOf(MakeDecoderNeighbors(rig_->inputs(), query).status());
  };
  EXPECT_EQ(reason({.feature = 256}), reason::kFeatureOutOfRange);
  EXPECT_EQ(reason({.feature = -1}), reason::kFeatureOutOfRange);
  EXPECT_EQ(reason({.k = 0}), reason::kConfigInvalid);
  EXPECT_EQ(reason({.k = std::numeric_limits<int64_t>::min()}), reason::kConfigInvalid);
  EXPECT_EQ(reason({.bins = 0}), reason::kConfigInvalid);
  rig_->DropMidcoder();
  EXPECT_EQ(reason({}), "");
  EXPECT_EQ(reason({.decoders = {.kind = DecoderKind::kPredicted}}), reason::kSnapshotTensorMissing);
}

}  // namespace
}  // namespace superpose
