// Which directions a source names, and what they are.
#include "server/analysis/direction_rows.h"

#include "lib/statistics/analysis/ranking.h"
#include "server/runtime/reasons.h"
#include "tests/server/analysis/question_rig.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::AllOf;
using testing::ElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

std::vector<int64_t> Values(const at::Tensor& ids) {
  const at::Tensor values = ids.contiguous();
  return {values.const_data_ptr<int64_t>(), values.const_data_ptr<int64_t>() + values.numel()};
}

// Real decoders, centred and of length 1.
at::Tensor UnitDecoders() {
  const at::Tensor W_dec = GoldenTranscoder()->tensor("W_dec").to(at::kDouble);
  const at::Tensor centred = W_dec - W_dec.mean(1, /*keepdim=*/true);
  return centred / centred.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
}

class DirectionRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(folder_.path());
  }
  template <typename... Names>
  v1::DirectionSource Source(const std::string& text, const Names&... names) {
    v1::DirectionSource source;
    const std::string filled = absl::Substitute(text, names...);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(filled, &source)) << filled;
    return source;
  }
  // Resolved, then read.
  absl::StatusOr<DirectionRows> Read(v1::DirectionSource source, const ModelRegistry* registry = TinyRegistry()) {
    AnalysisSources sources = rig_->sources();
    sources.registry = registry;
    const auto shape = ResolveDirections(sources, &source);
    if (!shape.ok()) return shape.status();
    resolved_ = source;
    auto read = ReadDirections(sources, source);
    if (!read.ok()) return read;
    EXPECT_EQ(read->rows.size(0) + read->undefined, shape->rows);
    EXPECT_TRUE(!shape->ids.defined() || at::isin(read->ids, shape->ids).all().item<bool>());
    EXPECT_EQ(read->rows.size(1), shape->width);
    EXPECT_EQ(read->rows.scalar_type(), at::kFloat);
    EXPECT_TRUE(read->rows.is_contiguous());
    EXPECT_EQ(read->ids.numel(), read->rows.size(0));
    return read;
  }
  template <typename... Names>
  absl::StatusOr<DirectionRows> Read(const std::string& text, const Names&... names) {
    return Read(Source(text, names...));
  }
  // A snapshot of a midcoder that was trained a little, and its features that were never active.
  v1::Snapshot CollectWithMidcoder(const std::function<void(v1::StatisticsSpec*)>& change = nullptr) {
    const v1::Job trained = rig_->rig().WaitForEnd(rig_->rig().Submit(TinyTraining(3)).name());
    const auto midcoder = rig_->rig().midcoders().Get(trained.trained_midcoders().midcoders(0));
    EXPECT_OK(midcoder);
    return Collect(rig_->rig(), TinyCollection(change, {*midcoder}));
  }

  TemporaryFolder folder_;
  std::optional<QuestionRig> rig_;
  v1::DirectionSource resolved_;
};

TEST_F(DirectionRowsTest, AllDecodersAreThoseOfTheTranscoderCentredAndOfLengthOne) {
  ASSERT_OK_AND_ASSIGN(const DirectionRows all, Read("transcoder: 'models/tiny/layers/1'"));
  EXPECT_LT(LargestError(all.rows, UnitDecoders()), 1e-6);
  EXPECT_TRUE(at::equal(all.ids, at::arange(256)));
  EXPECT_TRUE(all.ranks.eq(-1).all().item<bool>()) << "nobody knows frequencies, and none are needed";
  EXPECT_EQ(all.layer, 1);
  EXPECT_EQ(all.provenance.transcoder(), "models/tiny/transcoders/layer1");
  EXPECT_EQ(all.tokens, 0);
  EXPECT_EQ(resolved_.ShortDebugString(), "transcoder: \"models/tiny/transcoders/layer1\" kind: DECODER_KIND_REAL");
}

TEST_F(DirectionRowsTest, IdsAreKeptInTheirOrderTwiceWhereTheyAreNamedTwice) {
  ASSERT_OK_AND_ASSIGN(const DirectionRows some, Read("transcoder: 'models/tiny/layers/1' features { ids { values: 9 "
                                                      "values: 3 values: 9 } }"));
  EXPECT_THAT(Values(some.ids), ElementsAre(9, 3, 9));
  EXPECT_LT(LargestError(some.rows, UnitDecoders().index_select(0, some.ids)), 1e-6);
}

TEST_F(DirectionRowsTest, TheMostFrequentAreASnapshotsWhereTheTranscoderCameWithout) {
  const v1::Snapshot snapshot = Collect(rig_->rig(), TinyCollection());
  const at::Tensor order = DescendingOrder(TensorsOf(rig_->rig(), snapshot.name()).at("act_counts").to(at::kDouble));
  ASSERT_OK_AND_ASSIGN(const DirectionRows top, Read("snapshot: '$0' top: 20", snapshot.name()));
  EXPECT_TRUE(at::equal(top.ids, order.slice(0, 0, 20)));
  EXPECT_TRUE(at::equal(top.ranks, at::arange(20)));
  EXPECT_EQ(top.tokens, snapshot.tokens());
  EXPECT_EQ(top.provenance.corpus_hash(), snapshot.provenance().corpus_hash());
  EXPECT_EQ(resolved_.by(), v1::FREQUENCY_SOURCE_SNAPSHOT);
  EXPECT_EQ(resolved_.transcoder(), "models/tiny/transcoders/layer1");
  ASSERT_OK_AND_ASSIGN(const DirectionRows more,
                       Read("snapshot: '$0' top: 20 features { range { start: 30 stop: 40 } }", snapshot.name()));
  EXPECT_EQ(more.ids.numel(), 10) << "no more than there are";
  EXPECT_TRUE(at::equal(more.ranks, std::get<0>(more.ranks.sort()))) << "the most frequent first";
  ASSERT_OK_AND_ASSIGN(const DirectionRows named,
                       Read("snapshot: '$0' features { ids { values: 7 } }", snapshot.name()));
  EXPECT_EQ(named.ranks[0].item<int64_t>(), order.eq(7).nonzero()[0][0].item<int64_t>());
}

TEST_F(DirectionRowsTest, FeaturesOfUnknownFrequencyComeLast) {
  const v1::Snapshot some = Collect(rig_->rig(), TinyCollection([](v1::StatisticsSpec* spec) {
                                      spec->mutable_options()->mutable_features()->mutable_range()->set_start(100);
                                      spec->mutable_options()->mutable_features()->mutable_range()->set_stop(110);
                                      spec->mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
                                    }));
  ASSERT_OK_AND_ASSIGN(const DirectionRows top, Read("snapshot: '$0' top: 13", some.name()));
  EXPECT_THAT(Values(std::get<0>(top.ids.slice(0, 0, 10).sort())),
              ElementsAre(100, 101, 102, 103, 104, 105, 106, 107, 108, 109));
  EXPECT_THAT(Values(top.ids.slice(0, 10)), ElementsAre(0, 1, 2));
  EXPECT_THAT(Values(top.ranks.slice(0, 9)), ElementsAre(9, -1, -1, -1));
}

TEST_F(DirectionRowsTest, FrequenciesOfTrainingGoFirst) {
  const auto registry = LoadTinyRegistry();
  ASSERT_OK_AND_ASSIGN(const ModelHandle model, registry->FindModel("models/tiny"));
  auto loaded = std::make_shared<LoadedTranscoder>(**registry->FindTranscoder("models/tiny/layers/1"));
  ASSERT_OK_AND_ASSIGN(
      loaded->transcoder,
      Transcoder::Load({.path = GoldenPath("tiny_transcoder_dunefsky.pt"),
                        .log_sparsity_path = GoldenPath("tiny_transcoder_dunefsky_log_feature_sparsity.pt")},
                       at::kCPU));
  ASSERT_OK(registry->AddTranscoder(*model, loaded, /*replace=*/true));
  ASSERT_OK_AND_ASSIGN(const DirectionRows top,
                       Read(Source("transcoder: 'models/tiny/layers/1' top: 9"), registry.get()));
  const at::Tensor order = DescendingOrder(loaded->transcoder->tensor("log_sparsity").to(at::kDouble));
  EXPECT_TRUE(at::equal(top.ids, order.slice(0, 0, 9)));
  EXPECT_EQ(resolved_.by(), v1::FREQUENCY_SOURCE_TRAINING);
}

TEST_F(DirectionRowsTest, PredictedOnesThatAreNotDefinedAreLeftOutAndCounted) {
  const v1::Snapshot snapshot = CollectWithMidcoder();
  const TensorMap sums = TensorsOf(rig_->rig(), snapshot.name());
  // Never active, or never where a weight that was trained meets an open gate: such a prediction is 0 / 0, or 0.
  const at::Tensor defined = sums.at("act_gate_sum").mul(sums.at("W_mid")).ne(0).any(1),
                   seen = defined.nonzero().squeeze(1);
  ASSERT_TRUE(sums.at("act_counts").eq(0).any().item<bool>());
  ASSERT_OK_AND_ASSIGN(const DirectionRows predicted,
                       Read("snapshot: '$0' kind: DECODER_KIND_PREDICTED", snapshot.name()));
  EXPECT_EQ(predicted.undefined, 256 - seen.numel());
  EXPECT_TRUE(at::equal(predicted.ids, seen));
  EXPECT_LT(LargestError(predicted.rows.norm(2, at::IntArrayRef{1}), at::ones({seen.numel()})), 1e-6);
  EXPECT_EQ(resolved_.method(), v1::PREDICTION_METHOD_ACT_GATE);
  const std::string two = "snapshot: '$0' kind: DECODER_KIND_PREDICTED features { ids { values: $1 values: $2 } }";
  const auto good = seen[0].item<int64_t>(), bad = defined.logical_not().nonzero()[0][0].item<int64_t>();
  ASSERT_OK_AND_ASSIGN(const DirectionRows one, Read(two, snapshot.name(), bad, good));
  EXPECT_THAT(Values(one.ids), ElementsAre(good));
  EXPECT_THAT(Read(two, snapshot.name(), bad, bad), IsError(kPrecondition, reason::kEmptySelection));
}

TEST_F(DirectionRowsTest, OfAMidcoderOnlyTheRowsThatAreAskedForAreTakenIntoMemory) {
  const v1::Snapshot snapshot = CollectWithMidcoder();
  const int64_t parameter_bytes = 256 * 128 * 4;
  CountingAllocator& allocator = CountingAllocator::Install();
  for (const char* method : {"ACT_GATE", "GATE", "LEAST_SQUARES", "NO_GATE"}) {
    v1::DirectionSource source = Source(
        "snapshot: '$0' kind: DECODER_KIND_PREDICTED method: PREDICTION_METHOD_$1 "
        "features { ids { values: 1 values: 2 values: 3 values: 4 } }",
        snapshot.name(), method);
    const int64_t resolving =
        allocator.PeakOf([&] { ASSERT_OK(ResolveDirections(rig_->sources(), &source).status()); });
    EXPECT_LT(resolving, parameter_bytes / 2) << method;
    const int64_t reading = allocator.PeakOf([&] { (void)ReadDirections(rig_->sources(), source); });
    EXPECT_LT(reading, parameter_bytes / 2) << method;
  }
}

TEST_F(DirectionRowsTest, ReadingTakesNoMoreThanItSays) {
  const v1::Snapshot snapshot = CollectWithMidcoder();
  CountingAllocator& allocator = CountingAllocator::Install();
  for (const char* text : {"transcoder: 'models/tiny/layers/1'", "snapshot: '$0' kind: DECODER_KIND_PREDICTED",
                           "snapshot: '$0' kind: DECODER_KIND_PREDICTED method: PREDICTION_METHOD_LEAST_SQUARES",
                           "snapshot: '$0' kind: DECODER_KIND_PREDICTED method: PREDICTION_METHOD_GAUSSIAN"}) {
    v1::DirectionSource source = Source(text, snapshot.name());
    ASSERT_OK_AND_ASSIGN(const DirectionShape shape, ResolveDirections(rig_->sources(), &source));
    const int64_t peak = allocator.PeakOf([&] { EXPECT_OK(ReadDirections(rig_->sources(), source)); });
    EXPECT_LE(peak, shape.rows * shape.width * 4 + shape.reading_bytes) << text;
    EXPECT_GE(4 * peak, shape.reading_bytes) << text << ": nor much less";
  }
}

TEST_F(DirectionRowsTest, OnesThatAreOnlyLookedAtAreCountedAndNotHeld) {
  const v1::Snapshot snapshot = CollectWithMidcoder();
  const v1::DirectionSource real = Source("transcoder: 'models/tiny/layers/1'");
  ASSERT_OK_AND_ASSIGN(const DirectionCount all, CountDirections(rig_->sources(), real, /*enough=*/2));
  EXPECT_EQ(all.defined, 256) << "of real ones all are looked at";
  const v1::DirectionSource predicted = Source("snapshot: '$0' kind: DECODER_KIND_PREDICTED", snapshot.name());
  ASSERT_OK_AND_ASSIGN(const DirectionRows rows, Read(predicted));
  ASSERT_OK_AND_ASSIGN(const DirectionCount some, CountDirections(rig_->sources(), predicted, /*enough=*/1000));
  EXPECT_EQ(some.defined, rows.rows.size(0));
  EXPECT_EQ(some.undefined, rows.undefined);
}

TEST_F(DirectionRowsTest, WithoutAMidcoderNothingIsPredicted) {
  const v1::Snapshot snapshot = Collect(rig_->rig(), TinyCollection());
  EXPECT_THAT(Read("snapshot: '$0' kind: DECODER_KIND_PREDICTED", snapshot.name()),
              IsError(kPrecondition, reason::kSnapshotTensorMissing));
}

TEST_F(DirectionRowsTest, ADecoderWithoutADirectionIsToldByItsFeature) {
  const auto registry = LoadTinyRegistry();
  const at::Tensor W_dec = (*registry->FindTranscoder("models/tiny/layers/1"))->transcoder->tensor("W_dec");
  W_dec[200].zero_();
  const v1::DirectionSource all = Source("transcoder: 'models/tiny/layers/1'");
  EXPECT_THAT(Read(all, registry.get()), AllOf(IsError(kInvalid, reason::kConfigInvalid), MessageHas("feature 200")));
  EXPECT_OK(Read(Source("transcoder: 'models/tiny/layers/1' features { range { stop: 200 } }"), registry.get()));
  W_dec[77][3].fill_(std::nan(""));
  EXPECT_THAT(Read(all, registry.get()), AllOf(IsError(kInvalid, reason::kTensorNotFinite), MessageHas("feature 77")));
}

TEST_F(DirectionRowsTest, SourcesThatNameTooMuchOrTooLittleAreRefused) {
  for (const char* text :
       {"", "top: 5", "transcoder: 'models/tiny/layers/1' top: -1", "transcoder: 'models/tiny/layers/1' kind: 99",
        "transcoder: 'models/tiny/layers/1' kind: DECODER_KIND_PREDICTED", "transcoder: 'models/tiny/layers/1' by: 9",
        "factorization: 'factorizations/a' transcoder: 'models/tiny/layers/1'",
        "factorization: 'factorizations/a' top: 1", "factorization: 'factorizations/a' features {}"}) {
    EXPECT_THAT(Read(text), IsError(kInvalid, reason::kConfigInvalid)) << text;
  }
}

TEST_F(DirectionRowsTest, WhatIsNotThereIsNamed) {
  EXPECT_THAT(Read("transcoder: 'models/tiny/layers/0'"), IsError(kNotFound, reason::kTranscoderNotFound));
  EXPECT_THAT(Read("snapshot: 'snapshots/gone'"), IsError(kNotFound, reason::kSnapshotNotFound));
  EXPECT_THAT(Read("factorization: 'factorizations/gone'"), IsError(kNotFound, reason::kFactorizationNotFound));
  EXPECT_THAT(Read("transcoder: 'models/tiny/layers/1' features { ids { values: 256 } }"),
              IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Read("transcoder: 'models/tiny/layers/1' features { ids {} }"),
              IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(Read("transcoder: 'models/tiny/layers/1' top: 5"), IsError(kPrecondition, reason::kFrequenciesMissing));
  EXPECT_THAT(Read("transcoder: 'models/tiny/layers/1' by: FREQUENCY_SOURCE_TRAINING"),
              IsError(kPrecondition, reason::kFrequenciesMissing));
}

TEST_F(DirectionRowsTest, ASnapshotOfAnotherTranscoderIsRefused) {
  v1::Snapshot snapshot = Collect(rig_->rig(), TinyCollection());
  const TensorMap tensors = TensorsOf(rig_->rig(), snapshot.name());
  snapshot.clear_job();
  snapshot.mutable_provenance()->set_transcoder_hash("another");
  ASSERT_OK_AND_ASSIGN(const v1::Snapshot other, rig_->rig().snapshots().Add(snapshot, tensors, absl::UnixEpoch()));
  EXPECT_THAT(Read("snapshot: '$0' top: 3", other.name()), IsError(kPrecondition, reason::kSnapshotMismatch));
}

TEST_F(DirectionRowsTest, FactorsAreDirectionsToo) {
  v1::Factorization facts;
  facts.set_layer(1);
  facts.set_factors(3);
  facts.set_width(2);
  facts.mutable_provenance()->set_transcoder("models/gone/transcoders/t");
  const at::Tensor factors = at::tensor({1.0F, 0.0F, 0.0F, 1.0F, 0.6F, 0.8F}).view({3, 2});
  ASSERT_OK_AND_ASSIGN(const v1::Factorization stored,
                       rig_->rig().factorizations().Add(facts, {{"factors", factors}}, absl::UnixEpoch()));
  ASSERT_OK_AND_ASSIGN(const DirectionRows read, Read("factorization: '$0'", stored.name()));
  EXPECT_TRUE(at::equal(read.rows, factors));
  EXPECT_THAT(Values(read.ids), ElementsAre(0, 1, 2));
  EXPECT_FALSE(read.ranks.defined());
  EXPECT_EQ(read.provenance.transcoder(), "models/gone/transcoders/t");
  EXPECT_EQ(resolved_.ShortDebugString(), "factorization: \"" + stored.name() + "\"");
}

}  // namespace
}  // namespace superpose
