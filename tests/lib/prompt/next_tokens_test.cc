#include "lib/prompt/next_tokens.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include "tests/lib/prompt/sequences.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kVocabulary = 256;

class NextTokensTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    ASSERT_TRUE(model_);
    const TensorMap golden = GoldenTensors("tiny_forward_f64.safetensors");
    tokens_ = golden.at("tokens");
    log_probabilities_ = golden.at("logits").to(at::kDouble).log_softmax(-1);  // [2, 64, 256], float64 throughout
  }
  std::vector<NextTokensPrediction> Predict(const NextTokensQuery& query,
                                            const std::vector<TokenSequence>& sequences) const {
    auto predictions = ComputeNextTokens(*model_, query, sequences);
    EXPECT_OK(predictions);
    return predictions.ok() ? *predictions : std::vector<NextTokensPrediction>();
  }
  // Its entries must be the first `top` of the reference, in order, but for ties within rounding.
  void ExpectTop(const NextTokensPrediction& prediction, const at::Tensor& reference, int64_t top) const {
    const auto [values, ids] = reference.sort(-1, /*descending=*/true);
    ASSERT_GE(static_cast<int64_t>(prediction.token_ids.size()), top);
    for (int64_t i = 0; i < top; ++i) {
      EXPECT_NEAR(prediction.log_probabilities[i], values[i].item<double>(), 2e-5);
      EXPECT_NEAR(prediction.log_probabilities[i], reference[prediction.token_ids[i]].item<double>(), 2e-5);
    }
  }

  std::shared_ptr<const Model> model_;
  at::Tensor tokens_, log_probabilities_;
};

TEST_F(NextTokensTest, TheLastPositionsEqualTheReference) {
  const auto predictions = Predict({.top_k = 10}, RowsOf(tokens_, {64, 20}));
  ASSERT_EQ(predictions.size(), 2U);
  EXPECT_EQ(predictions[0].sequence, 0);
  EXPECT_EQ(predictions[0].position, 63);
  EXPECT_EQ(predictions[1].sequence, 1);
  EXPECT_EQ(predictions[1].position, 19);
  EXPECT_EQ(predictions[0].token_ids.size(), 10U);
  ExpectTop(predictions[0], log_probabilities_[0][63], 10);
  ExpectTop(predictions[1], log_probabilities_[1][19], 10);
}

TEST_F(NextTokensTest, AllPositionsEqualTheReferenceOverSeveralTiles) {
  // 4 sequences of up to 64 tokens are more than one tile of 128 rows.
  const at::Tensor tokens = tokens_.repeat({2, 1});
  const std::vector<int64_t> lengths = {64, 3, 64, 50};
  const auto predictions = Predict({.top_k = 3, .all_positions = true}, RowsOf(tokens, lengths));
  ASSERT_EQ(predictions.size(), 64U + 3 + 64 + 50);
  size_t next = 0;
  for (size_t sequence = 0; sequence < lengths.size(); ++sequence) {
    for (int64_t position = 0; position < lengths[sequence]; ++position, ++next) {
      EXPECT_EQ(predictions[next].sequence, static_cast<int64_t>(sequence));
      EXPECT_EQ(predictions[next].position, position);
      ExpectTop(predictions[next], log_probabilities_[static_cast<int64_t>(sequence % 2)][position], 3);
    }
  }
}

TEST_F(NextTokensTest, TokensAskedForComeAfterTheMostLikelyInTheirOrder) {
  const std::vector<int32_t> asked = {200, 3, 255, 3, 0};
  const auto predictions = Predict({.top_k = 2, .token_ids = asked}, RowsOf(tokens_, {64}));
  ASSERT_EQ(predictions[0].token_ids.size(), 7U);
  ExpectTop(predictions[0], log_probabilities_[0][63], 2);
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(predictions[0].token_ids[2 + i], asked[i]);
    EXPECT_NEAR(predictions[0].log_probabilities[2 + i], log_probabilities_[0][63][asked[i]].item<double>(), 2e-5);
  }
}

TEST_F(NextTokensTest, OnlyTokensAskedFor) {
  const auto predictions = Predict({.top_k = 0, .token_ids = {7}}, RowsOf(tokens_, {10}));
  EXPECT_EQ(predictions[0].token_ids, (std::vector<int32_t>{7}));
  EXPECT_NEAR(predictions[0].log_probabilities[0], log_probabilities_[0][9][7].item<double>(), 2e-5);
}

TEST_F(NextTokensTest, MoreThanTheVocabularyIsAllOfIt) {
  const auto predictions = Predict({.top_k = 1000}, RowsOf(tokens_, {64}));
  ASSERT_EQ(predictions[0].token_ids.size(), static_cast<size_t>(kVocabulary));
  std::vector<int32_t> ids = predictions[0].token_ids;
  std::sort(ids.begin(), ids.end());
  for (int32_t id = 0; id < kVocabulary; ++id) EXPECT_EQ(ids[id], id);
  double total = 0;
  for (const float value : predictions[0].log_probabilities) total += std::exp(static_cast<double>(value));
  EXPECT_NEAR(total, 1, 1e-5);
}

TEST_F(NextTokensTest, ManySequencesGoByBatchesInTheirOrder) {
  const auto predictions = Predict({.top_k = 1}, RowsOf(tokens_.repeat({40, 1}), std::vector<int64_t>(80, 64)));
  ASSERT_EQ(predictions.size(), 80U);
  for (size_t i = 0; i < predictions.size(); ++i) {
    EXPECT_EQ(predictions[i].sequence, static_cast<int64_t>(i));
    ExpectTop(predictions[i], log_probabilities_[static_cast<int64_t>(i % 2)][63], 1);
  }
}

TEST_F(NextTokensTest, WhatCannotBePredictedIsRefused) {
  EXPECT_THAT(ComputeNextTokens(*model_, {}, {}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeNextTokens(*model_, {}, {{1}, {}}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeNextTokens(*model_, {.top_k = -1}, {{1}}), IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(ComputeNextTokens(*model_, {}, {TokenSequence(65, 1)}), IsError(kInvalid, reason::kContextExceeded));
  for (const int32_t id : {-1, 256}) {
    EXPECT_THAT(ComputeNextTokens(*model_, {.token_ids = {0, id}}, {{1}}), IsError(kInvalid, reason::kTokenOutOfRange));
  }
}

}  // namespace
}  // namespace superpose
