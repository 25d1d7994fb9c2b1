#include "lib/statistics/analysis/decoder_similarities.h"

#include "tests/lib/statistics/analysis/decoder_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;

constexpr DecoderChoice kPredicted = {.kind = DecoderKind::kPredicted};

class DecoderSimilaritiesTest : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    rig_.emplace(device());
    rig_->UseSnapshot(GoldenTensors("tiny_stats_d_mlp_f64.safetensors"));
    golden_ = GoldenTensors("tiny_notebook_d_mlp_f64.safetensors");
  }
  Found Ask(const DecoderSimilaritiesQuery& query) const {
    return AnswerOf(MakeDecoderSimilarities(rig_->inputs(), query));
  }

  // The notebook's bands of its features: log10 frequency above -2, or between -3.5 and -3. Ids occur several times.
  at::Tensor Band(bool high) const {
    const at::Tensor ids = golden_.at("feat_ids").masked_select(golden_.at("sparsity_mask").to(at::kBool));
    const at::Tensor frequency = rig_->transcoder().tensor("log_sparsity").cpu().index_select(0, ids.to(at::kLong));
    const at::Tensor inside = high ? frequency.gt(-2) : frequency.gt(-3.5).logical_and(frequency.lt(-3));
    return ids.masked_select(inside).to(at::kLong);
  }
  // Its cosines of real decoders, which it does not centre, as they are for centred ones.
  at::Tensor CentredCosines(const std::string& name, const at::Tensor& rows, const at::Tensor& columns) const {
    const at::Tensor a = rig_->W_dec().index_select(0, rows), b = rig_->W_dec().index_select(0, columns);
    const at::Tensor lengths = Lengths(a).unsqueeze(1) * Lengths(b);
    const at::Tensor means = DecoderRig::kShape.d_model * a.mean(1).unsqueeze(1) * b.mean(1);
    return (WithSelf(name, rows, columns) * lengths - means) / (Lengths(Centred(a)).unsqueeze(1) * Lengths(Centred(b)));
  }
  // Its cosines; it subtracts 1 on the diagonal of a set with itself.
  at::Tensor WithSelf(const std::string& name, const at::Tensor& rows, const at::Tensor& columns) const {
    const at::Tensor cosines = golden_.at(name).to(at::kDouble);
    return at::equal(rows, columns) ? cosines + at::eye(rows.numel(), at::kDouble) : cosines;
  }
  static at::Tensor Lengths(const at::Tensor& rows) { return rows.norm(2, at::IntArrayRef{1}); }

  std::optional<DecoderRig> rig_;
  TensorMap golden_;
};
INSTANTIATE_TEST_SUITE_P(Devices, DecoderSimilaritiesTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

// The largest cosines and whose they are, of features with others.
void ExpectMaxima(const Found& answer, const at::Tensor& cosines, double most) {
  const at::Tensor rows = answer["feature"], columns = answer["other_feature"];
  const at::Tensor others =
      cosines.masked_fill(rows.unsqueeze(1).eq(columns), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(SameNumbers(answer["row_max"], std::get<0>(others.max(1)), most));
  EXPECT_TRUE(SameNumbers(answer["column_max"], std::get<0>(others.max(0)), most));
  const at::Tensor at_row = others.gather(1, answer["row_argmax"].unsqueeze(1)).squeeze(1);
  const at::Tensor at_column = others.gather(0, answer["column_argmax"].unsqueeze(0)).squeeze(0);
  EXPECT_TRUE(SameNumbers(at_row, answer["row_max"], most));
  EXPECT_TRUE(SameNumbers(at_column, answer["column_max"], most));
}

TEST_P(DecoderSimilaritiesTest, AreTheNotebooks) {
  const at::Tensor high = Band(true), low = Band(false);
  ASSERT_EQ(high.numel(), 45);
  ASSERT_EQ(low.numel(), 5);
  const std::map<std::string, std::pair<at::Tensor, at::Tensor>> sets = {
      {"sims11", {high, high}}, {"sims12", {high, low}}, {"sims22", {low, low}}};
  for (const auto& [name, set] : sets) {
    const auto& [rows, columns] = set;
    DecoderSimilaritiesQuery query = {.features = Integers(rows), .values = true};
    if (!at::equal(rows, columns)) query.other_features = Integers(columns);
    const Found real = Ask(query);
    EXPECT_THAT(real.order, ElementsAre("feature", "other_feature", "row_max", "row_argmax", "column_max",
                                        "column_argmax", "values"));
    const at::Tensor wanted = CentredCosines("dec" + name, rows, columns);
    EXPECT_TRUE(SameNumbers(real["values"], wanted, 2e-6)) << name;
    ExpectMaxima(real, wanted, 2e-6);
    query.decoders = kPredicted;  // in float32: of small decoders a few more digits are lost
    const Found predicted = Ask(query);
    EXPECT_TRUE(SameNumbers(predicted["values"], WithSelf("pred" + name, rows, columns), 1e-5)) << name;
    ExpectMaxima(predicted, WithSelf("pred" + name, rows, columns), 1e-5);
    EXPECT_EQ(predicted.undefined, 0);
  }
}

// Where no feature occurs twice the notebook's maxima over rows stand as they are.
TEST_P(DecoderSimilaritiesTest, MaximaAreTheNotebooks) {
  const at::Tensor high = Band(true), low = Band(false);
  for (const std::string set : {"12", "22", "11"}) {
    const at::Tensor rows = set == "22" ? low : high, columns = set == "11" ? high : low;
    const Found answer = Ask({.features = Integers(rows), .other_features = Integers(columns), .decoders = kPredicted});
    int64_t compared = 0;
    for (int64_t column = 0; column < columns.numel(); ++column) {
      if (rows.eq(columns[column]).sum().item<int64_t>() > 1) continue;
      const double wanted = golden_.at("predsims" + set + "_max")[column].item<double>();
      const auto at = golden_.at("predsims" + set + "_argmax")[column].item<int64_t>();
      EXPECT_NEAR(answer["column_max"][column].item<double>(), wanted, 2e-6);
      const auto ours = answer["column_argmax"][column].item<int64_t>();
      EXPECT_EQ(rows[ours].item<int64_t>(), rows[at].item<int64_t>());
      ++compared;
    }
    EXPECT_GE(compared, set == "22" ? 1 : 5) << set;
  }
}

TEST_P(DecoderSimilaritiesTest, AFeatureAloneHasNoOther) {
  for (const std::vector<int64_t>& ids : {std::vector<int64_t>{7}, std::vector<int64_t>{7, 7}}) {
    const Found answer = Ask({.features = ids, .values = true});
    EXPECT_LT(LargestError(answer["values"], at::ones_like(answer["values"])), 1e-6);
    EXPECT_TRUE(answer["row_max"].isnan().all().item<bool>());
    EXPECT_TRUE(answer["column_argmax"].eq(-1).all().item<bool>());
    EXPECT_EQ(answer.undefined, 2 * ids.size());
  }
}

TEST_P(DecoderSimilaritiesTest, FeaturesThatWereNeverActiveTakeNoPart) {
  const at::Tensor counts = rig_->snapshot().ActCounts(), ids = rig_->snapshot().feature_ids();
  const auto dead = ids[counts.argmin().item<int64_t>()].item<int64_t>();
  const auto live = ids[counts.argmax().item<int64_t>()].item<int64_t>();
  const auto other = Band(false)[0].item<int64_t>();
  const Found answer =
      Ask({.features = std::vector<int64_t>{live, dead, other}, .decoders = kPredicted, .values = true});
  EXPECT_TRUE(at::equal(answer["row_argmax"], Indices({2, -1, 0})));
  EXPECT_TRUE(at::equal(answer["column_argmax"], Indices({2, -1, 0})));
  EXPECT_TRUE(at::equal(answer["row_max"].isnan(), Flags({0, 1, 0})));
  EXPECT_EQ(answer.undefined, 5 + 2);
  const Found without_values = Ask({.features = std::vector<int64_t>{live, dead, other}, .decoders = kPredicted});
  EXPECT_EQ(without_values.undefined, 2);
  const Found real = Ask({.features = std::vector<int64_t>{live, dead, other}});
  EXPECT_EQ(real.undefined, 0);
}

TEST_P(DecoderSimilaritiesTest, UnitsOfAnySizeAgree) {
  DecoderSimilaritiesQuery query = {.other_features = FeatureRange{0, 256}, .values = true};
  const Found whole = Ask(query);
  ASSERT_EQ(whole["values"].size(1), 256);
  for (const int64_t entries : {1, 700, 5000}) {
    const Found parts = AnswerOf(MakeDecoderSimilarities(rig_->inputs(), query, entries));
    for (const std::string name : {"values", "row_max", "column_max"}) {
      EXPECT_TRUE(SameNumbers(parts[name], whole[name], 1e-6)) << name;
    }
    ExpectMaxima(parts, whole["values"].to(at::kDouble), 2e-6);
  }
}

TEST_P(DecoderSimilaritiesTest, NeedsAMidcoderForPredictedDecodersOnly) {
  rig_->DropMidcoder();
  EXPECT_OK(MakeDecoderSimilarities(rig_->inputs(), {}));
  EXPECT_THAT(MakeDecoderSimilarities(rig_->inputs(), {.decoders = kPredicted}),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kSnapshotTensorMissing));
  EXPECT_THAT(MakeDecoderSimilarities(rig_->inputs(), {.other_features = std::vector<int64_t>{256}}),
              IsError(absl::StatusCode::kInvalidArgument, reason::kFeatureOutOfRange));
  EXPECT_EQ(ReasonOf(MakeDecoderSimilarities(rig_->inputs(), {.features = std::vector<int64_t>{}}).status()),
            reason::kEmptySelection);
}

}  // namespace
}  // namespace superpose
