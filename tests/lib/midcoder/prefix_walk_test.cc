#include "lib/midcoder/prefix_walk.h"

#include <ATen/ATen.h>

#include "tests/status_matchers.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr int64_t kLayers = 3;

class PrefixWalkTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    ASSERT_TRUE(model_);
    tokens_ = GoldenTensors("tiny_forward_f32.safetensors").at("tokens").to(at::kLong);
  }
  std::shared_ptr<const Model> model_;
  at::Tensor tokens_;
};

TEST_F(PrefixWalkTest, EveryLayerIsWhatARunUpToItGives) {
  PrefixWalk walk(*model_);
  EXPECT_FALSE(walk.running());
  walk.Start(tokens_);
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    EXPECT_EQ(walk.next_layer(), layer);
    const MlpTensors mlp = walk.RunBlock();
    ASSERT_OK_AND_ASSIGN(const MlpTensors expected, model_->RunToMlp(tokens_, layer));
    EXPECT_TRUE(at::equal(mlp.resid_mid, expected.resid_mid)) << layer;
    EXPECT_TRUE(at::equal(mlp.x_hat, expected.x_hat)) << layer;
    EXPECT_TRUE(at::equal(mlp.pre, expected.pre)) << layer;
    EXPECT_TRUE(at::equal(mlp.out, expected.out)) << layer;
  }
  walk.Stop();
  EXPECT_FALSE(walk.running());
}

// Whether the pre-activation is kept or not is no matter to what comes after.
TEST_F(PrefixWalkTest, WhatIsKeptChangesNothingBehind) {
  PrefixWalk keeping(*model_), passing(*model_);
  keeping.Start(tokens_);
  passing.Start(tokens_);
  keeping.RunBlock();
  passing.RunBlock({});
  EXPECT_TRUE(at::equal(keeping.RunBlock().out, passing.RunBlock().out));
}

TEST_F(PrefixWalkTest, AWalkStartsAnewWithOtherTokens) {
  PrefixWalk walk(*model_);
  for (int64_t count : {2, 1, 2}) {
    walk.Start(tokens_.narrow(0, 0, count));
    walk.RunBlock({});
    ASSERT_OK_AND_ASSIGN(const MlpTensors expected, model_->RunToMlp(tokens_.narrow(0, 0, count), 1));
    EXPECT_TRUE(at::equal(walk.RunBlock().out, expected.out)) << count;
  }
}

TEST_F(PrefixWalkTest, AllocatesNothingLargeOnceItHasRun) {
  const int64_t row_bytes = tokens_.numel() * 4;
  MlpTensors keep;
  keep.pre = at::empty({tokens_.size(0), tokens_.size(1), model_->config().d_mlp});
  keep.out = at::empty({tokens_.size(0), tokens_.size(1), model_->config().d_model});
  PrefixWalk walk(*model_);
  const auto pass = [&] {
    walk.Start(tokens_);
    walk.RunBlock({});
    walk.RunBlock(keep);
    walk.RunBlock({});
  };
  CountingAllocator& allocator = CountingAllocator::Install();
  const int64_t first = allocator.PeakOf(pass);
  EXPECT_GT(first, row_bytes * model_->config().d_mlp) << "what is counted";
  EXPECT_LT(allocator.PeakOf(pass), 2 * row_bytes) << "less than a tensor of the narrowest width";
}

}  // namespace
}  // namespace superpose
