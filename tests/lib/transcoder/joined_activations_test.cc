#include "lib/transcoder/joined_activations.h"

#include <ATen/ATen.h>

#include <random>

#include "lib/base/error.h"
#include "tests/status_matchers.h"
#include "tests/support/synthetic_files.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kLayers = 4, kWidth = 32, kVocabulary = 100, kPositions = 48;

at::Tensor Dense(const SparseActivations& z) {
  const at::Tensor counts = z.row_splits.slice(0, 1) - z.row_splits.slice(0, 0, z.rows());
  const at::Tensor rows = at::repeat_interleave(counts);
  return at::zeros({z.rows(), z.d_sae}).index_put_({rows, z.feature_ids.to(at::kLong)}, z.values);
}

class JoinedActivationsTest : public testing::Test {
 protected:
  void SetUp() override {
    ModelConfig config;
    config.d_model = kWidth;
    config.d_mlp = 64;
    config.n_layers = kLayers;
    config.n_heads = 4;
    config.n_positions = kPositions;
    config.vocab_size = kVocabulary;
    WriteModelFolder(folder_, config);
    ASSERT_OK_AND_ASSIGN(model_, Model::Load(folder_.path(), at::kCPU));
    for (int i = 0; i < 3; ++i) {
      const std::string file = WriteTranscoderFile(folder_, absl::StrCat("t", i, ".pt"), kWidth, 96 + 8 * i, -0.5);
      ASSERT_OK_AND_ASSIGN(auto transcoder, Transcoder::Load({file, ""}, at::kCPU));
      transcoders_.push_back(std::move(transcoder));
    }
  }

  int64_t Random(int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random_); }

  TokenSequence RandomSequence() {
    TokenSequence sequence(Random(1, kPositions));
    for (int32_t& id : sequence) id = static_cast<int32_t>(Random(0, kVocabulary - 1));
    return sequence;
  }
  // One to three sequences, one to three layers, some of them twice and in any order.
  ActivationsTask RandomTask() {
    ActivationsTask task;
    for (int64_t i = Random(1, 3); i > 0; --i) task.sequences.push_back(RandomSequence());
    for (int64_t i = Random(1, 3); i > 0; --i)
      task.layers.push_back({Random(0, kLayers - 1), transcoders_[Random(0, 2)].get()});
    return task;
  }

  // By value: an entry near zero may be there in one and not in the other.
  void ExpectAsAlone(const std::vector<ActivationsTask>& tasks) const {
    const auto joined = ComputeJoinedActivations(*model_, tasks);
    ASSERT_OK(joined);
    ASSERT_EQ(joined->size(), tasks.size());
    for (size_t i = 0; i < tasks.size(); ++i) {
      ASSERT_OK_AND_ASSIGN(const auto alone, ComputeFeatureActivations(*model_, tasks[i].layers, tasks[i].sequences));
      ASSERT_EQ((*joined)[i].size(), alone.size());
      for (size_t layer = 0; layer < alone.size(); ++layer) {
        const at::Tensor ours = Dense((*joined)[i][layer]), theirs = Dense(alone[layer]);
        ASSERT_EQ(ours.sizes(), theirs.sizes());
        ASSERT_TRUE(at::allclose(ours, theirs, 1e-5, 1e-5)) << "task " << i << ", layer " << layer;
        ASSERT_TRUE((*joined)[i][layer].values.is_contiguous());
        entries_ += alone[layer].entries();
      }
    }
  }

  std::mt19937 random_{static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed())};
  TestFolder folder_;
  std::shared_ptr<const Model> model_;
  std::vector<std::shared_ptr<const Transcoder>> transcoders_;
  mutable int64_t entries_ = 0;
};

TEST_F(JoinedActivationsTest, EachTaskGetsWhatItWouldGetAlone) {
  for (int round = 0; round < 30; ++round) {
    std::vector<ActivationsTask> tasks;
    for (int64_t i = Random(2, 6); i > 0; --i) tasks.push_back(RandomTask());
    ExpectAsAlone(tasks);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(entries_, 10'000) << "there is something to compare";
}

TEST_F(JoinedActivationsTest, TheOrderOfTasksAndDepthsDoesNotMatter) {
  const TokenSequence sequence = RandomSequence();
  for (const int64_t first : {0, 1, 3}) {
    for (const int64_t second : {0, 2, 3}) {
      ExpectAsAlone({{{sequence}, {{first, transcoders_[0].get()}}},
                     {{RandomSequence(), sequence}, {{second, transcoders_[0].get()}, {0, transcoders_[1].get()}}}});
    }
  }
}

TEST_F(JoinedActivationsTest, SequencesOfOneTokenAndOfTheWholeContextGoTogether) {
  TokenSequence longest(kPositions, 5);
  ExpectAsAlone({{{{7}}, {{3, transcoders_[0].get()}}}, {{longest, {1}}, {{3, transcoders_[0].get()}}}});
}

TEST_F(JoinedActivationsTest, OneTaskIsTheSameBitForBit) {
  const ActivationsTask task{{RandomSequence()}, {{2, transcoders_[1].get()}}};
  ASSERT_OK_AND_ASSIGN(const auto joined, ComputeJoinedActivations(*model_, {task}));
  ASSERT_OK_AND_ASSIGN(const auto alone, ComputeFeatureActivations(*model_, task.layers, task.sequences));
  EXPECT_TRUE(at::equal(joined[0][0].values, alone[0].values));
  EXPECT_TRUE(at::equal(joined[0][0].feature_ids, alone[0].feature_ids));
}

TEST_F(JoinedActivationsTest, WhatIsWrongWithOneTaskIsAnError) {
  const ActivationsTask good{{{1, 2}}, {{0, transcoders_[0].get()}}};
  EXPECT_THAT(ComputeJoinedActivations(*model_, {}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeJoinedActivations(*model_, {good, {{{1}}, {}}}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeJoinedActivations(*model_, {good, {{{}}, good.layers}}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeJoinedActivations(*model_, {good, {{{kVocabulary}}, good.layers}}),
              IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(ComputeJoinedActivations(*model_, {good, {{{1}}, {{kLayers, transcoders_[0].get()}}}}),
              IsError(kInvalid, reason::kLayerOutOfRange));
  EXPECT_THAT(ComputeJoinedActivations(*model_, {good, {{TokenSequence(kPositions + 1, 1)}, good.layers}}),
              IsError(kInvalid, reason::kContextExceeded));
}

}  // namespace
}  // namespace superpose
