#include "lib/kernels/logit_sums.h"

#include <ATen/ATen.h>

#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "lib/kernels/logit_loops.h"

namespace superpose {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class LogitSumsTest : public testing::TestWithParam<at::DeviceType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kCUDA && !at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
    at::manual_seed(3);
  }
  at::Tensor To(const at::Tensor& tensor) const { return tensor.to(at::Device(GetParam())); }
  // By tiles of `tile` columns.
  at::Tensor Losses(const at::Tensor& logits, const at::Tensor& targets, int64_t tile) const {
    LogitSums sums(To(targets));
    for (int64_t first = 0; first < logits.size(1); first += tile) {
      sums.Add(To(logits.slice(1, first, first + tile).contiguous()), first);
    }
    return sums.Losses().cpu();
  }
  static at::Tensor Exact(const at::Tensor& logits, const at::Tensor& targets) {
    return -at::log_softmax(logits.to(at::kDouble), 1).gather(1, targets.unsqueeze(1)).squeeze(1);
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, LogitSumsTest, testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& info) { return info.param == at::kCPU ? "Cpu" : "Cuda"; });

TEST_P(LogitSumsTest, LossesEqualThoseOfAllLogitsAtOnce) {
  for (int64_t vocabulary : {1, 2, 15, 17, 257, 5003}) {
    const at::Tensor logits = at::randn({23, vocabulary}) * 5;
    const at::Tensor targets = at::randint(vocabulary, {23}, at::kLong);
    for (int64_t tile : {1, 16, 100, 1024, 6000}) {
      if (vocabulary / tile > 600) continue;
      const at::Tensor error = (Losses(logits, targets, tile) - Exact(logits, targets)).abs();
      EXPECT_LT(error.max().item<double>(), 2e-6) << vocabulary << ' ' << tile;
    }
  }
}

TEST_P(LogitSumsTest, NoRowsHaveNoLosses) {
  EXPECT_EQ(Losses(at::zeros({0, 5}), at::zeros({0}, at::kLong), 5).numel(), 0);
}

TEST_P(LogitSumsTest, HugeAndInfiniteLogits) {
  const at::Tensor targets = at::tensor({0, 3, 1, 2}, at::kLong);
  const at::Tensor logits = at::tensor({1e30f, 0.0f, -1e30f, 5.0f,           // certain
                                        88.0f, 89.0f, 90.0f, 91.0f,          // e^x overflows
                                        -kInfinity, 2.0f, -kInfinity, 2.0f,  // two of four
                                        -1e4f, -1e4f, -1e4f, -1e4f})         // e^x underflows
                                .view({4, 4});
  for (int64_t tile : {1, 3, 4}) {
    const at::Tensor losses = Losses(logits, targets, tile);
    EXPECT_EQ(losses[0].item<double>(), 0) << tile;
    EXPECT_NEAR(losses[1].item<double>(), 0.4401896985611957, 1e-6) << tile;
    EXPECT_NEAR(losses[2].item<double>(), 0.6931471805599453, 1e-6) << tile;
    EXPECT_NEAR(losses[3].item<double>(), 1.3862943611198906, 1e-6) << tile;
  }
}

TEST_P(LogitSumsTest, NaNReachesItsRowAlone) {
  at::Tensor logits = at::randn({3, 40});
  logits[1][33] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor losses = Losses(logits, at::zeros({3}, at::kLong), 16);
  EXPECT_TRUE(at::equal(losses.isnan().to(at::kLong), at::tensor({0, 1, 0}, at::kLong)));
}

TEST_P(LogitSumsTest, DivergencesEqualThoseOfAllLogitsAtOnce) {
  for (int64_t vocabulary : {1, 31, 2500}) {
    const at::Tensor a = at::randn({9, vocabulary}) * 4, b = a + at::randn({9, vocabulary}) * 0.01;
    LogitSums of_a(To(at::zeros({9}, at::kLong))), of_b(To(at::zeros({9}, at::kLong)));
    DivergenceSums divergences(9, at::Device(GetParam()));
    for (int64_t first = 0; first < vocabulary; first += 700) {
      const at::Tensor left = To(a.slice(1, first, first + 700).contiguous());
      const at::Tensor right = To(b.slice(1, first, first + 700).contiguous());
      of_a.Add(left, first);
      of_b.Add(right, first);
      divergences.Add(left, right);
    }
    const at::Tensor log_a = at::log_softmax(a.to(at::kDouble), 1), log_b = at::log_softmax(b.to(at::kDouble), 1);
    const at::Tensor expected = (log_a.exp() * (log_a - log_b)).sum(1);
    const at::Tensor error = (divergences.Divergences(of_a.LogSum(), of_b.LogSum()).cpu() - expected).abs();
    EXPECT_LT(error.max().item<double>(), 1e-6) << vocabulary;
  }
}

TEST_P(LogitSumsTest, RefusesOtherTensors) {
  EXPECT_THROW(LogitSums(To(at::zeros({3}))), c10::Error);
  LogitSums sums(To(at::zeros({3}, at::kLong)));
  EXPECT_THROW(sums.Add(To(at::zeros({2, 4})), 0), c10::Error);
  EXPECT_THROW(sums.Add(To(at::zeros({3, 4}, at::kDouble)), 0), c10::Error);
  EXPECT_THROW(sums.Add(To(at::zeros({4, 3})).t(), 0), c10::Error);
}

TEST(LogitLoops, EveryLevelAgrees) {
  at::manual_seed(3);
  const at::Tensor a = at::randn({1000}) * 6, b = at::randn({1000}) * 6;
  const at::Tensor exact_a = a.to(at::kDouble), exact_b = b.to(at::kDouble);
  for (VectorLevel level : {VectorLevel::kPlain, VectorLevel::kAvx2, VectorLevel::kAvx512}) {
    if (level > BestVectorLevel()) continue;
    for (int64_t n : {1, 7, 16, 100, 999}) {
      float largest = -kInfinity, weighed = -kInfinity;
      double sum = 0, differences = 0;
      AddExponentials(a.const_data_ptr<float>(), n, &largest, &sum, level);
      AddWeightedDifferences(a.const_data_ptr<float>(), b.const_data_ptr<float>(), n, &weighed, &differences, level);
      const at::Tensor left = exact_a.slice(0, 0, n), e = (left - left.max()).exp();
      EXPECT_EQ(largest, a.slice(0, 0, n).max().item<float>());
      EXPECT_NEAR(sum, e.sum().item<double>(), 1e-6 * sum) << n;
      const double expected = (e * (left - exact_b.slice(0, 0, n))).sum().item<double>();
      EXPECT_NEAR(differences, expected, 1e-5 * (1 + std::abs(expected))) << n;
    }
  }
}

}  // namespace
}  // namespace superpose
