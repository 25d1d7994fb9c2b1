#include "server/services/tokens.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"
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

TEST(TokenBatchTest, NoTokensAreNoSequences) {
  const auto sequences = SequencesOf({});
  ASSERT_OK(sequences);
  EXPECT_TRUE(sequences->empty());
}

}  // namespace
}  // namespace superpose
