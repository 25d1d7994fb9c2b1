#include "lib/prompt/intervention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>

#include "lib/transcoder/feature_activations.h"
#include "tests/lib/prompt/sequences.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kLayer = 1, kFeatures = 256;

// By hand: dense activations z [tokens, d_sae] of what an MLP reads.
at::Tensor DenseActivations(const Transcoder& t, const at::Tensor& x_hat) {
  return ((x_hat.flatten(0, 1) - t.tensor("b_dec")).mm(t.tensor("W_enc")) + t.tensor("b_enc")).relu();
}

class InterventionTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(model_ && transcoder_);
    tokens_ = GoldenTensors("tiny_transcoder.safetensors").at("batches")[0].to(at::kLong);  // [8, 32], all from BOS on
    sequences_ = RowsOf(tokens_, std::vector<int64_t>(8, 32));
  }

  TranscoderSettings Of(std::vector<FeatureSetting> settings, int64_t layer = kLayer) const {
    return {layer, transcoder_.get(), std::move(settings)};
  }
  PredictionChange Change(const Intervention& intervention, const std::vector<TokenSequence>& sequences,
                          int64_t top_k = 10) const {
    auto change = Intervene(*model_, sequences, intervention, top_k);
    EXPECT_OK(change);
    return change.ok() ? *change : PredictionChange();
  }
  // Log-probabilities [8 x 32, vocabulary], float64, of the model with MLPs replaced by hand.
  at::Tensor LogProbabilities(const Model::MlpReplacement& replace = nullptr) const {
    auto resid = model_->Run(tokens_, replace);
    EXPECT_OK(resid);
    return model_->LogProbabilities(resid->flatten(0, 1)).to(at::kDouble);
  }
  // The features that are active most often, over all positions but the first.
  std::vector<int64_t> FrequentFeatures(int64_t count) const {
    auto mlp = model_->RunToMlp(tokens_, kLayer);
    EXPECT_OK(mlp);
    const at::Tensor often =
        DenseActivations(*transcoder_, mlp->x_hat).view({8, 32, -1}).slice(1, 1).gt(0).sum(at::IntArrayRef{0, 1});
    const at::Tensor ids = often.argsort(0, /*descending=*/true).slice(0, 0, count).contiguous();
    return {ids.const_data_ptr<int64_t>(), ids.const_data_ptr<int64_t>() + count};
  }
  void ExpectChange(const PredictionChange& change, const at::Tensor& before, const at::Tensor& after) const {
    const at::Tensor kl = (before.exp() * (before - after)).sum(1);
    ASSERT_EQ(static_cast<int64_t>(change.kl.size()), kl.numel());
    EXPECT_LT(LargestError(at::tensor(change.kl, at::kFloat), kl), 1e-5);
    const at::Tensor followers = at::cat({tokens_.slice(1, 1), at::zeros({8, 1}, at::kLong)}, 1).flatten();
    at::Tensor expected = (after - before).gather(1, followers.unsqueeze(1)).view({8, 32}).clone();
    expected.select(1, 31).zero_();
    EXPECT_LT(LargestError(at::tensor(change.log_probability_change, at::kFloat), expected.flatten()), 5e-5);
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  at::Tensor tokens_;
  std::vector<TokenSequence> sequences_;
};

float Largest(const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

TEST_F(InterventionTest, SettingEveryFeatureToItsOwnActivationChangesNothing) {
  const std::vector<TokenSequence> sequence = {sequences_[3]};
  ASSERT_OK_AND_ASSIGN(const auto z, ComputeFeatureActivations(*model_, {{kLayer, transcoder_.get()}}, sequence));
  const at::Tensor splits = z[0].row_splits;
  std::vector<FeatureSetting> settings;
  for (int32_t position = 0; position < 32; ++position) {
    std::vector<float> values(kFeatures, 0);
    for (int64_t i = splits[position].item<int64_t>(); i < splits[position + 1].item<int64_t>(); ++i)
      values[z[0].feature_ids[i].item<int32_t>()] = z[0].values[i].item<float>();
    for (int64_t feature = 0; feature < kFeatures; ++feature)
      settings.push_back({feature, values[feature], {position}});
  }
  const PredictionChange change = Change({.transcoders = {Of(settings)}}, sequence);
  EXPECT_EQ(Largest(change.kl), 0);
  EXPECT_EQ(Largest(change.log_probability_change), 0);
  for (const float kl : change.kl) EXPECT_FALSE(std::signbit(kl)) << "people see it: 0, not -0";
}

TEST_F(InterventionTest, TurningAFeatureOffTakesItsDecoderFromTheOutput) {
  const std::vector<int64_t> features = FrequentFeatures(2);
  const PredictionChange change = Change({.transcoders = {Of({{features[0], 0}, {features[1], 0}})}}, sequences_);
  const at::Tensor after = LogProbabilities([&](int64_t layer, const MlpTensors& mlp) {
    if (layer != kLayer) return at::Tensor();
    at::Tensor out = mlp.out.clone();
    const at::Tensor z = DenseActivations(*transcoder_, mlp.x_hat).view({8, 32, -1});
    for (const int64_t feature : features) {
      at::Tensor value = z.select(2, feature).clone();
      value.select(1, 0).zero_();  // all sequences begin with BOS
      out = out - value.unsqueeze(2) * transcoder_->tensor("W_dec")[feature];
    }
    return out;
  });
  ExpectChange(change, LogProbabilities(), after);
  EXPECT_GT(Largest(change.kl), 1e-4);
}

TEST_F(InterventionTest, DeltaAddsTheDifferenceAtTheChosenPositions) {
  const int64_t feature = FrequentFeatures(1)[0];
  const PredictionChange change = Change({.transcoders = {Of({{feature, 9, {4, 20}}, {7, 3.5, {20}}})}}, sequences_);
  const at::Tensor after = LogProbabilities([&](int64_t layer, const MlpTensors& mlp) {
    if (layer != kLayer) return at::Tensor();
    at::Tensor out = mlp.out.clone();
    const at::Tensor z = DenseActivations(*transcoder_, mlp.x_hat).view({8, 32, -1});
    auto set = [&](int64_t position, int64_t id, double value) {
      out.select(1, position) +=
          (value - z.select(1, position).select(1, id)).unsqueeze(1) * transcoder_->tensor("W_dec")[id];
    };
    set(4, feature, 9);
    set(20, feature, 9);
    set(20, 7, 3.5);
    return out;
  });
  ExpectChange(change, LogProbabilities(), after);
  for (size_t row = 0; row < change.kl.size(); ++row) {
    if (row % 32 < 4) {
      EXPECT_EQ(change.kl[row], 0) << "before the first setting, at row " << row;
    }
    if (row % 32 == 4) {
      EXPECT_GT(change.kl[row], 1e-4);
    }
  }
}

TEST_F(InterventionTest, ReplaceIsTheModelWithTheTranscoderInTheMlpsPlace) {
  const int64_t feature = FrequentFeatures(1)[0];
  const Intervention intervention{InterventionMode::kReplace, {Of({{feature, 4}, {11, 0}})}};
  const PredictionChange change = Change(intervention, sequences_);
  const at::Tensor after = LogProbabilities([&](int64_t layer, const MlpTensors& mlp) {
    if (layer != kLayer) return at::Tensor();
    at::Tensor z = DenseActivations(*transcoder_, mlp.x_hat).view({8, 32, -1});
    z.slice(1, 1).select(2, feature).fill_(4);
    z.slice(1, 1).select(2, 11).fill_(0);
    return z.matmul(transcoder_->tensor("W_dec")) + transcoder_->tensor("b_dec_out");
  });
  ExpectChange(change, LogProbabilities(), after);
}

TEST_F(InterventionTest, ReplaceHoldsAtPositionsWithoutASettingToo) {
  const PredictionChange change = Change({InterventionMode::kReplace, {Of({{0, 1, {31}}})}}, sequences_);
  EXPECT_GT(change.kl[0], 1e-4) << "at BOS";
  EXPECT_GT(change.kl[5], 1e-4);
}

TEST_F(InterventionTest, LaterLayersSeeTheEarlierSettings) {
  // The golden transcoder reads any layer's x_hat; what it says there is no matter.
  const Intervention intervention{.transcoders = {Of({{5, 0}}, 2), Of({{9, 6}, {5, 8}}, 0)}};
  const PredictionChange change = Change(intervention, sequences_);
  const at::Tensor after = LogProbabilities([&](int64_t layer, const MlpTensors& mlp) {
    at::Tensor delta = DenseActivations(*transcoder_, mlp.x_hat).view({8, 32, -1}).neg();
    if (layer == 0) {
      delta.select(2, 9) += 6;
      delta.select(2, 5) += 8;
    }
    const std::vector<int64_t> set = layer == 0 ? std::vector<int64_t>{5, 9} : std::vector<int64_t>{5};
    if (layer == 1) return at::Tensor();
    at::Tensor out = mlp.out.clone();
    for (const int64_t feature : set) {
      at::Tensor change_here = delta.select(2, feature).clone();
      change_here.select(1, 0).zero_();
      out = out + change_here.unsqueeze(2) * transcoder_->tensor("W_dec")[feature];
    }
    return out;
  });
  ExpectChange(change, LogProbabilities(), after);
}

TEST_F(InterventionTest, WithoutPositionsOnlyABosIsLeftOut) {
  const auto bos = static_cast<int32_t>(model_->config().bos_token_id);
  const int32_t other = bos == 7 ? 8 : 7;
  const Intervention intervention{.transcoders = {Of({{3, 10}})}};
  const PredictionChange change = Change(intervention, {{bos}, {other}, {bos, bos}});
  EXPECT_EQ(change.kl[0], 0);
  EXPECT_GT(change.kl[1], 1e-4) << "position 0, but no BOS";
  EXPECT_EQ(change.kl[2], 0);
  EXPECT_GT(change.kl[3], 1e-4) << "the BOS token, but not at position 0";
  EXPECT_GT(Change({.transcoders = {Of({{3, 10, {0}}})}}, {{bos}}).kl[0], 1e-4) << "unless it is asked for";
}

TEST_F(InterventionTest, EffectsAreTheMostLikelyTokensOfBothLargestChangeFirst) {
  const Intervention intervention{.transcoders = {Of({{FrequentFeatures(1)[0], 20}})}};
  const PredictionChange change = Change(intervention, sequences_, 4);
  const at::Tensor before = LogProbabilities();
  ASSERT_EQ(change.effects.size(), 8U);
  for (int64_t sequence = 0; sequence < 8; ++sequence) {
    const InterventionEffect& effect = change.effects[sequence];
    EXPECT_EQ(effect.sequence, sequence);
    const size_t count = effect.token_ids.size();
    ASSERT_EQ(effect.before.size(), count);
    ASSERT_EQ(effect.after.size(), count);
    EXPECT_GE(count, 4U);
    EXPECT_LE(count, 8U);
    EXPECT_EQ(std::set<int32_t>(effect.token_ids.begin(), effect.token_ids.end()).size(), count) << "each once";
    const at::Tensor row = before[sequence * 32 + 31];
    for (size_t i = 0; i < count; ++i) {
      EXPECT_NEAR(effect.before[i], row[effect.token_ids[i]].item<double>(), 2e-5);
      if (i > 0) {
        EXPECT_GE(std::abs(effect.after[i - 1] - effect.before[i - 1]), std::abs(effect.after[i] - effect.before[i]));
      }
    }
    const auto best = static_cast<int32_t>(row.argmax().item<int64_t>());
    EXPECT_NE(std::find(effect.token_ids.begin(), effect.token_ids.end(), best), effect.token_ids.end());
  }
  EXPECT_EQ(Change(intervention, sequences_, 0).effects[0].token_ids.size(), 0U);
  EXPECT_EQ(Change(intervention, sequences_, 1000).effects[0].token_ids.size(), 256U);
}

TEST_F(InterventionTest, SequencesOfDifferentLengthsAreAsIfEachWereAlone) {
  std::vector<TokenSequence> sequences = RowsOf(tokens_, {32, 3, 1, 20});
  // More than one batch of 4,096 positions.
  for (int32_t i = 0; i < 130; ++i) sequences.push_back(sequences_[i % 8]);
  const Intervention intervention{InterventionMode::kReplace, {Of({{2, 5}, {FrequentFeatures(1)[0], 0}})}};
  const PredictionChange together = Change(intervention, sequences);
  size_t row = 0;
  for (size_t index = 0; index < sequences.size(); ++index) {
    if (index < 4 || index == 133) {
      const PredictionChange alone = Change(intervention, {sequences[index]});
      for (size_t position = 0; position < sequences[index].size(); ++position) {
        EXPECT_NEAR(together.kl[row + position], alone.kl[position], 1e-5) << index;
        EXPECT_NEAR(together.log_probability_change[row + position], alone.log_probability_change[position], 5e-5);
      }
      EXPECT_EQ(together.effects[index].sequence, static_cast<int64_t>(index));
      EXPECT_EQ(together.log_probability_change[row + sequences[index].size() - 1], 0);
    }
    row += sequences[index].size();
  }
  EXPECT_EQ(together.kl.size(), row);
  EXPECT_EQ(together.log_probability_change.size(), row);
}

TEST_F(InterventionTest, SettingsThatCannotBeAreRefused) {
  const std::vector<TokenSequence> sequences = {{1, 2, 3}, {4, 5}};
  auto refuse = [&](const TranscoderSettings& settings, absl::string_view why, const std::string& message) {
    const absl::Status status = CheckIntervention(*model_, sequences, {.transcoders = {settings}});
    EXPECT_THAT(status, IsError(kInvalid, why));
    EXPECT_THAT(status, MessageHas(message));
  };
  refuse(Of({{256, 1}}), reason::kFeatureOutOfRange, "0 .. 255");
  refuse(Of({{-1, 1}}), reason::kFeatureOutOfRange, "feature -1");
  refuse(Of({{1, -0.5}}), reason::kConfigInvalid, "0 or more");
  refuse(Of({{1, std::numeric_limits<float>::quiet_NaN()}}), reason::kConfigInvalid, "0 or more");
  refuse(Of({{1, std::numeric_limits<float>::infinity()}}), reason::kConfigInvalid, "0 or more");
  refuse(Of({{1, 1, {2}}}), reason::kConfigInvalid, "sequence 1 has positions 0 .. 1");
  refuse(Of({{1, 1, {-1}}}), reason::kConfigInvalid, "position -1");
  refuse(Of({{1, 1}, {1, 2}}), reason::kConfigInvalid, "twice");
  refuse(Of({{1, 1, {0}}, {2, 1}, {1, 2}}), reason::kConfigInvalid, "twice");
  refuse(Of({{1, 1, {0, 1}}, {1, 2, {1}}}), reason::kConfigInvalid, "twice");
  refuse(Of({}), reason::kEmptyInput, "at least one");
  refuse(Of({{1, 1}}, 3), reason::kLayerOutOfRange, "0 .. 2");
  refuse(Of({{1, 1}}, -1), reason::kLayerOutOfRange, "");
  EXPECT_OK(CheckIntervention(*model_, sequences, {.transcoders = {Of({{1, 1, {0, 0}}, {1, 2, {1}}})}}));
}

TEST_F(InterventionTest, WhatCannotBeRunIsRefused) {
  const Intervention sound{.transcoders = {Of({{1, 1}})}};
  EXPECT_THAT(Intervene(*model_, {}, sound, 10), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(Intervene(*model_, {{256}}, sound, 10), IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(Intervene(*model_, {{1}}, sound, -1), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(Intervene(*model_, {{1}}, {}, 10), IsError(kInvalid, reason::kEmptyInput));
  const Intervention same{.transcoders = {Of({{1, 1}}), Of({{2, 1}})}};
  EXPECT_THAT(Intervene(*model_, {{1}}, same, 10), IsError(kInvalid, reason::kConfigInvalid));
  ASSERT_OK_AND_ASSIGN(const auto small, Transcoder::Load({SUPERPOSE_TEST_DATA "/transcoder/sound.pt", ""}, at::kCPU));
  EXPECT_THAT(Intervene(*model_, {{1}}, {.transcoders = {{1, small.get(), {{0, 1}}}}}, 10),
              IsError(kInvalid, reason::kTranscoderMismatch));
}

TEST_F(InterventionTest, ASettingThatIsTooLargeToComputeWithIsNamed) {
  for (const InterventionMode mode : {InterventionMode::kDelta, InterventionMode::kReplace}) {
    // 1e38 is infinite in the sum, 1e25 in the variance only.
    for (const float value : {1e38F, 1e25F}) {
      const Intervention intervention{mode, {Of({{1, 3}}, 0), Of({{4, 2}, {7, value, {5}}, {9, 100}}, 1)}};
      const auto change = Intervene(*model_, sequences_, intervention, 3);
      EXPECT_THAT(change, IsError(kInvalid, reason::kConfigInvalid));
      EXPECT_THAT(change, MessageHas(absl::StrCat("feature 7 of layer 1 is set to ", value)));
    }
  }
  const PredictionChange large = Change({.transcoders = {Of({{7, 1e6}})}}, sequences_);
  for (const float kl : large.kl) EXPECT_TRUE(std::isfinite(kl));
}

TEST_F(InterventionTest, TwoTranscodersOfALayerMayAddButNotBothReplace) {
  const std::shared_ptr<const Transcoder> other = GoldenTranscoder();
  Intervention intervention{.transcoders = {Of({{1, 6}}), {kLayer, other.get(), {{2, 6}}}}};
  const PredictionChange two = Change(intervention, sequences_);
  const PredictionChange one = Change({.transcoders = {Of({{1, 6}, {2, 6}})}}, sequences_);
  EXPECT_LT(LargestError(at::tensor(two.kl, at::kFloat), at::tensor(one.kl, at::kFloat)), 1e-5);
  intervention.mode = InterventionMode::kReplace;
  EXPECT_THAT(Intervene(*model_, sequences_, intervention, 10), IsError(kInvalid, reason::kConfigInvalid));
}

}  // namespace
}  // namespace superpose
