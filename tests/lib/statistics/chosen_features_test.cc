#include "lib/statistics/chosen_features.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace superpose {
namespace {

at::Tensor Ids(const std::vector<int64_t>& ids) { return at::tensor(ids, at::kLong); }

TEST(ChosenFeatures, AllFeaturesStayAsTheyAre) {
  const ChosenFeatures all({}, 5, at::kCPU);
  EXPECT_EQ(all.count(), 5);
  EXPECT_TRUE(all.as_counted());
  const at::Tensor sums = at::rand({5, 2});
  EXPECT_TRUE(all.ToAsked(sums).is_same(sums));
}

TEST(ChosenFeatures, AscendingFeaturesAreCountedAsTheyAreAskedFor) {
  const ChosenFeatures chosen(Ids({1, 3, 4}), 5, at::kCPU);
  EXPECT_TRUE(chosen.as_counted());
  EXPECT_EQ(chosen.count(), 3);
}

TEST(ChosenFeatures, AreRenumberedInAscendingOrderAndEachOnce) {
  const ChosenFeatures chosen(Ids({4, 1, 4}), 5, at::kCPU);
  EXPECT_EQ(chosen.count(), 2);
  EXPECT_EQ(chosen.asked(), 3);
  const SparseActivations z{Ids({0, 3, 3, 4}), at::tensor({0, 1, 4, 4}, at::kInt), at::tensor({1.0f, 2.0f, 3.0f, 4.0f}),
                            5};
  const SparseActivations kept = chosen.Restrict(z);
  EXPECT_EQ(kept.d_sae, 2);
  EXPECT_TRUE(at::equal(kept.row_splits, Ids({0, 2, 2, 3})));
  EXPECT_TRUE(at::equal(kept.feature_ids, at::tensor({0, 1, 1}, at::kInt)));
  EXPECT_TRUE(at::equal(kept.values, at::tensor({2.0f, 3.0f, 4.0f})));
}

TEST(ChosenFeatures, RowsGoToTheOrderAskedForAndBack) {
  const ChosenFeatures chosen(Ids({4, 1, 4}), 5, at::kCPU);
  const at::Tensor asked = chosen.ToAsked(Ids({10, 40}));
  EXPECT_TRUE(at::equal(asked, Ids({40, 10, 40})));
  EXPECT_TRUE(at::equal(chosen.ToCounted(asked), Ids({10, 40})));
}

// Of the pairs (1, 1), (1, 4), (4, 4).
TEST(ChosenFeatures, PairsGoToTheOrderAskedForAndBack) {
  const ChosenFeatures chosen(Ids({4, 1, 4}), 5, at::kCPU);
  const at::Tensor asked = chosen.PairsToAsked(Ids({11, 14, 44}));
  EXPECT_TRUE(at::equal(asked, Ids({44, 14, 44, 11, 14, 44})));
  EXPECT_TRUE(at::equal(chosen.PairsToCounted(asked), Ids({11, 14, 44})));
}

}  // namespace
}  // namespace superpose
