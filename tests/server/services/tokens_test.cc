#include "server/services/tokens.h"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;

v1::TokenBatch Batch(const std::vector<int32_t>& ids, const std::vector<int32_t>& lengths) {
  v1::TokenBatch batch;
  batch.mutable_token_ids()->Add(ids.begin(), ids.end());
  batch.mutable_lengths()->Add(lengths.begin(), lengths.end());
  return batch;
}

TEST(TokenBatchTest, SequencesAndBack) {
  const auto sequences = SequencesOf(Batch({1, 2, 3, 4}, {3, 1}));
  ASSERT_OK(sequences);
  EXPECT_THAT(*sequences, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4)));
  EXPECT_EQ(BatchOf(*sequences).SerializeAsString(), Batch({1, 2, 3, 4}, {3, 1}).SerializeAsString());
}

TEST(TokenBatchTest, LengthsMustAddUp) {
  const std::vector<std::vector<int32_t>> wrong = {{3}, {5}, {-1, 5}, {2147483647, 2147483647}, {}};
  for (const auto& lengths : wrong) {
    EXPECT_EQ(ReasonOf(SequencesOf(Batch({1, 2, 3, 4}, lengths)).status()), "CONFIG_INVALID");
  }
}

class TextSizesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(model_.model, Model::Load(SUPERPOSE_TEST_DATA "/golden/model", at::kCPU));
    ASSERT_OK_AND_ASSIGN(model_.tokenizer, Tokenizer::Load(SUPERPOSE_TEST_DATA "/tokenizer/vocab_merges"));
    longest_ = static_cast<size_t>(model_.tokenizer->longest_token_bytes());
    ASSERT_GE(longest_, std::string("<|endoftext|>").size());
  }
  static v1::TextBatch Texts(const std::vector<size_t>& sizes) {
    v1::TextBatch batch;
    for (const size_t size : sizes) batch.add_texts(std::string(size, 'a'));
    return batch;
  }

  LoadedModel model_;
  size_t longest_ = 0;
};

TEST_F(TextSizesTest, ATextThatTheContextCannotHoldIsNotTokenized) {
  const auto context = static_cast<size_t>(model_.model->config().n_positions);
  EXPECT_OK(SequencesOf(model_, Texts({context * longest_})));
  EXPECT_THAT(SequencesOf(model_, Texts({1, (context + 1) * longest_})),
              IsError(absl::StatusCode::kInvalidArgument, reason::kContextExceeded));
}

TEST_F(TextSizesTest, TextsThatMustBeTooManyTokensAreNotTokenized) {
  EXPECT_OK(SequencesOf(model_, Texts({longest_, longest_}), 2));
  EXPECT_THAT(SequencesOf(model_, Texts({longest_, longest_, longest_}), 2),
              IsError(absl::StatusCode::kResourceExhausted, reason::kRequestTooLarge));
}

TEST_F(TextSizesTest, NoMoreTextsAreMadeThanAMessageMayHave) {
  const TokenSequence letters(10, 65);  // "a"
  ASSERT_OK_AND_ASSIGN(const std::vector<std::string> texts, TokenTexts(model_, letters, 30));
  EXPECT_EQ(texts, std::vector<std::string>(10, "a"));
  EXPECT_THAT(TokenTexts(model_, letters, 29), IsError(absl::StatusCode::kResourceExhausted, reason::kRequestTooLarge));
  EXPECT_THAT(TokenTexts(model_, {65, 65, -1}, 5),
              IsError(absl::StatusCode::kResourceExhausted, reason::kRequestTooLarge))
      << "nothing is looked at that will not be sent";
  EXPECT_THAT(TokenTexts(model_, {65, 65, -1}), IsError(absl::StatusCode::kInvalidArgument, reason::kTokenOutOfRange));
}

TEST(TokenBatchTest, NoTokensAreNoSequences) {
  const auto sequences = SequencesOf({});
  ASSERT_OK(sequences);
  EXPECT_TRUE(sequences->empty());
}

}  // namespace
}  // namespace superpose
