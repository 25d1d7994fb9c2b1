#include "client/cpp/activations.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

LayerActivations Layer(std::vector<int64_t> row_splits, std::vector<int32_t> feature_ids, std::vector<float> values) {
  LayerActivations layer;
  layer.transcoder = "models/m/transcoders/layer1";
  layer.activations = {10, std::move(row_splits), std::move(feature_ids), std::move(values)};
  return layer;
}

Activations Part(std::vector<int32_t> token_ids, std::vector<int32_t> lengths, LayerActivations layer) {
  return {std::move(token_ids), std::move(lengths), {}, {std::move(layer)}};
}

TEST(ActivationsTest, ALayerIsNamedByItsNumber) {
  EXPECT_EQ(LayerName(3), "models/-/layers/3");
  EXPECT_EQ(LayerName(0, "demo"), "models/demo/layers/0");
}

TEST(ActivationsTest, ARowIsBetweenItsSplits) {
  SparseActivations rows{10, {0, 2, 2, 3}, {1, 4, 9}, {0.5F, 1.5F, 2.5F}};
  EXPECT_EQ(rows.rows(), 3);
  EXPECT_THAT(rows.Row(0).feature_ids, ElementsAre(1, 4));
  EXPECT_THAT(rows.Row(0).values, ElementsAre(0.5F, 1.5F));
  EXPECT_THAT(rows.Row(1).feature_ids, IsEmpty());
  EXPECT_THAT(rows.Row(2).values, ElementsAre(2.5F));
}

TEST(ActivationsTest, NothingHasNoRows) { EXPECT_EQ(SparseActivations().rows(), 0); }

TEST(ActivationsTest, PartsAreAppendedRowAfterRow) {
  Activations all;
  Append(Part({7, 8}, {2}, Layer({0, 1, 3}, {2, 0, 5}, {1, 2, 3})), &all);
  Append(Part({9}, {1}, Layer({0, 2}, {3, 4}, {4, 5})), &all);
  EXPECT_THAT(all.token_ids, ElementsAre(7, 8, 9));
  EXPECT_THAT(all.lengths, ElementsAre(2, 1));
  ASSERT_EQ(all.layers.size(), 1);
  EXPECT_THAT(all.layers[0].activations.row_splits, ElementsAre(0, 1, 3, 5));
  EXPECT_THAT(all.layers[0].activations.Row(2).feature_ids, ElementsAre(3, 4));
  EXPECT_THAT(all.layers[0].activations.values, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(all.layers[0].transcoder, "models/m/transcoders/layer1");
}

}  // namespace
}  // namespace superpose::client
