// What is asked of a collection, checked and completed before it is queued.
#include "server/runtime/statistics_specs.h"

#include <functional>

#include "server/runtime/reasons.h"
#include "server/runtime/spec_checks.h"
#include "server/runtime/statistics_memory.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

using Change = std::function<void(v1::StatisticsSpec* spec)>;

class StatisticsSpecsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(TinyRegistry(), nullptr); }

  static v1::StatisticsSpec Sound() {
    v1::StatisticsSpec spec;
    spec.add_transcoders("models/-/layers/1");
    spec.set_corpus("corpora/rows");
    return spec;
  }
  static absl::StatusOr<v1::StatisticsSpec> Resolve(const Change& change,
                                                    const std::vector<v1::Midcoder>& midcoders = {}) {
    v1::StatisticsSpec spec = Sound();
    change(&spec);
    return ResolveStatisticsSpec(*TinyRegistry(), midcoders, std::move(spec));
  }
  // A midcoder of the tiny model's transcoder.
  static v1::Midcoder Midcoder() {
    v1::Midcoder midcoder;
    midcoder.set_name("midcoders/m");
    const LoadedTranscoder& transcoder = **TinyRegistry()->FindTranscoder("models/tiny/layers/1");
    midcoder.mutable_provenance()->set_transcoder_hash(transcoder.transcoder->content_hash());
    midcoder.mutable_provenance()->set_model_hash((*TinyRegistry()->FindModel("models/tiny"))->model->content_hash());
    return midcoder;
  }
};

TEST_F(StatisticsSpecsTest, LabelsAreFewAndShort) {
  const auto with = [](int count, size_t bytes) {
    return Resolve([&](v1::StatisticsSpec* spec) {
      for (int i = 0; i < count; ++i) (*spec->mutable_labels())[absl::StrCat(i)] = std::string(bytes, 'x');
    });
  };
  EXPECT_OK(with(64, 100));
  EXPECT_THAT(with(65, 1), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(with(1, 8192), IsError(kInvalid, reason::kConfigInvalid));
}

TEST_F(StatisticsSpecsTest, EveryDefaultIsFilledIn) {
  ASSERT_OK_AND_ASSIGN(const v1::StatisticsSpec spec, Resolve([](auto*) {}));
  EXPECT_THAT(spec.transcoders(), ElementsAre("models/tiny/transcoders/layer1"));
  EXPECT_EQ(spec.tokens(), 1'000'000);
  EXPECT_EQ(spec.batch_size(), 32);
  EXPECT_EQ(spec.context_length(), 32) << "the rows of the array";
  EXPECT_EQ(spec.first_sequence(), 0);
  EXPECT_EQ(spec.split(), v1::CORPUS_SPLIT_ALL);
  EXPECT_EQ(spec.gate(), v1::GATE_SOURCE_MODEL);
  EXPECT_THAT(spec.options().groups(), SizeIs(6));
  EXPECT_TRUE(spec.options().has_include_bos() && !spec.options().include_bos());
  EXPECT_EQ(spec.options().keep_last(), 2);
  EXPECT_TRUE(spec.options().has_snapshot_every_tokens());
  ASSERT_OK_AND_ASSIGN(const v1::StatisticsSpec again, ResolveStatisticsSpec(*TinyRegistry(), {}, spec));
  EXPECT_EQ(again.SerializeAsString(), spec.SerializeAsString());
}

TEST_F(StatisticsSpecsTest, WithAMidcoderItsGatesAreCounted) {
  ASSERT_OK_AND_ASSIGN(const v1::StatisticsSpec spec, Resolve([](auto*) {}, {Midcoder()}));
  EXPECT_EQ(spec.gate(), v1::GATE_SOURCE_MIDCODER);
  ASSERT_OK_AND_ASSIGN(const v1::StatisticsSpec model,
                       Resolve([](auto* spec) { spec->set_gate(v1::GATE_SOURCE_MODEL); }, {Midcoder()}));
  EXPECT_EQ(model.gate(), v1::GATE_SOURCE_MODEL);
}

TEST_F(StatisticsSpecsTest, MidcodersMustBeThoseOfTheTranscoders) {
  EXPECT_THAT(Resolve([](auto*) {}, {Midcoder(), Midcoder()}), IsError(kInvalid, reason::kConfigInvalid));
  v1::Midcoder other = Midcoder();
  other.mutable_provenance()->set_transcoder_hash("another");
  EXPECT_THAT(Resolve([](auto*) {}, {other}), IsError(kPrecondition, reason::kSnapshotMismatch));
  other = Midcoder();
  other.mutable_provenance()->set_model_hash("another");
  EXPECT_THAT(Resolve([](auto*) {}, {other}), IsError(kPrecondition, reason::kSnapshotMismatch));
}

TEST_F(StatisticsSpecsTest, ValuesThatCannotBeAreRefused) {
  const std::vector<Change> changes = {
      [](auto* spec) { spec->set_tokens(0); },
      [](auto* spec) { spec->set_tokens(kMostTokens + 1); },
      [](auto* spec) { spec->set_batch_size(0); },
      [](auto* spec) { spec->set_batch_size(kMostSequences + 1); },
      [](auto* spec) { spec->set_context_length(1); },
      [](auto* spec) { spec->set_first_sequence(-1); },
      [](auto* spec) { spec->set_split(static_cast<v1::CorpusSplit>(99)); },
      [](auto* spec) { spec->set_gate(static_cast<v1::GateSource>(99)); },
      [](auto* spec) { spec->set_gate(v1::GATE_SOURCE_MIDCODER); },
      [](auto* spec) { spec->mutable_options()->add_groups(static_cast<v1::StatisticsGroup>(99)); },
      [](auto* spec) { spec->mutable_options()->add_groups(v1::STATISTICS_GROUP_UNSPECIFIED); },
      [](auto* spec) { spec->mutable_options()->set_snapshot_every_tokens(-1); },
      [](auto* spec) { spec->mutable_options()->set_keep_last(0); },
      [](auto* spec) { spec->mutable_options()->set_keep_last(1001); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_THAT(Resolve(changes[i]), IsError(kInvalid, reason::kConfigInvalid)) << i;
  }
}

TEST_F(StatisticsSpecsTest, WhatTheCorpusOrTheModelDoesNotHaveIsRefused) {
  EXPECT_THAT(Resolve([](auto* spec) { spec->set_first_sequence(64); }), IsError(kInvalid, reason::kCorpusTooSmall));
  EXPECT_OK(Resolve([](auto* spec) { spec->set_first_sequence(63); }));
  EXPECT_THAT(Resolve([](auto* spec) { spec->set_context_length(65); }), IsError(kInvalid, reason::kContextExceeded));
  EXPECT_THAT(Resolve([](auto* spec) { spec->clear_transcoders(); }), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(Resolve([](auto* spec) { spec->add_transcoders("models/tiny/layers/1"); }),
              IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(Resolve([](auto* spec) { spec->set_corpus("corpora/other"); }),
              IsError(absl::StatusCode::kNotFound, reason::kCorpusNotFound));
}

// What would fail the job once its turn came is said at once.
TEST_F(StatisticsSpecsTest, SelectionsAreCheckedBeforeTheJobIsQueued) {
  const auto ids = [](v1::FeatureSelector* selector, const std::vector<int>& values) {
    for (const int id : values) selector->mutable_ids()->add_values(id);
  };
  EXPECT_THAT(Resolve([&](auto* spec) { ids(spec->mutable_options()->mutable_features(), {1, 256}); }),
              IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Resolve([&](auto* spec) { spec->mutable_options()->mutable_features()->mutable_ids(); }),
              IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(Resolve([&](auto* spec) { ids(spec->mutable_options()->mutable_pair_features(), {1, 1}); }),
              IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(Resolve([&](auto* spec) {
                ids(spec->mutable_options()->mutable_features(), {1, 2});
                ids(spec->mutable_options()->mutable_pair_features(), {3});
              }),
              IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(Resolve([&](auto* spec) { spec->mutable_options()->mutable_features()->mutable_band()->set_low(-3); }),
              IsError(kPrecondition, reason::kFrequenciesMissing))
      << "this transcoder came without frequencies";
  EXPECT_OK(Resolve([&](auto* spec) {
    ids(spec->mutable_options()->mutable_features(), {5, 2, 5});
    ids(spec->mutable_options()->mutable_pair_features(), {2});
  }));
}

TEST_F(StatisticsSpecsTest, OptionsBecomeTheLibrarys) {
  ASSERT_OK_AND_ASSIGN(const v1::StatisticsSpec spec, Resolve([](auto* changed) {
                         changed->mutable_options()->add_groups(v1::STATISTICS_GROUP_PAIRS);
                         changed->mutable_options()->mutable_features()->mutable_range()->set_stop(3);
                       }));
  const Transcoder& transcoder = *(*TinyRegistry()->FindTranscoder("models/tiny/layers/1"))->transcoder;
  ASSERT_OK_AND_ASSIGN(const StatisticsOptions options,
                       StatisticsOptionsFor(spec.options(), transcoder, GateSource::kModel));
  EXPECT_THAT(options.groups, ElementsAre(StatisticsGroup::kFeatures, StatisticsGroup::kPairs));
  EXPECT_TRUE(at::equal(options.feature_ids, at::arange(3)));
  EXPECT_FALSE(options.pair_ids.defined());
}

TEST_F(StatisticsSpecsTest, TheEstimateGrowsWithWhatIsCollectedAndTheAdviceFits) {
  ASSERT_OK_AND_ASSIGN(const v1::StatisticsSpec all, Resolve([](auto*) {}));
  v1::StatisticsSpec few = all;
  few.mutable_options()->clear_groups();
  few.mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
  v1::StatisticsSpec without_pairs = all;
  without_pairs.mutable_options()->clear_groups();
  for (const auto group : all.options().groups()) {
    if (group == v1::STATISTICS_GROUP_PAIRS) continue;
    without_pairs.mutable_options()->add_groups(static_cast<v1::StatisticsGroup>(group));
  }
  const auto peak = [](const v1::StatisticsSpec& spec) {
    return EstimateCollection(*TinyRegistry(), {}, spec)->peak_bytes;
  };
  EXPECT_GT(peak(all), peak(without_pairs));
  EXPECT_GT(peak(without_pairs), peak(few));
  const auto advice = [&](int64_t room) { return CollectionThatFits(*TinyRegistry(), {}, all, room); };
  EXPECT_THAT(advice(peak(without_pairs)), HasSubstr("without PAIRS"));
  EXPECT_THAT(advice(peak(without_pairs) - 1), HasSubstr("features of each transcoder would fit"));
  EXPECT_THAT(advice(peak(few)), HasSubstr("FEATURES alone would fit"));
  EXPECT_THAT(advice(1000), HasSubstr("smaller batch_size"));
}

TEST(SpecChecksTest, CountsHaveBounds) {
  EXPECT_OK(CheckCount("steps", 1, 10));
  EXPECT_OK(CheckCount("steps", 10, 10));
  for (const int64_t count : {int64_t{0}, int64_t{-1}, int64_t{11}, INT64_MIN}) {
    EXPECT_THAT(CheckCount("steps", count, 10), IsError(kInvalid, reason::kConfigInvalid));
    EXPECT_THAT(CheckCount("steps", count, 10), MessageHas("steps is"));
  }
}

TEST(SpecChecksTest, SplitsAreTheLibrarys) {
  EXPECT_EQ(SplitOf(v1::CORPUS_SPLIT_TRAIN), CorpusSplit::kTrain);
  EXPECT_EQ(SplitOf(v1::CORPUS_SPLIT_HELDOUT), CorpusSplit::kHeldout);
  EXPECT_EQ(SplitOf(v1::CORPUS_SPLIT_ALL), CorpusSplit::kAll);
}

}  // namespace
}  // namespace superpose
