#include "lib/kernels/squared_error.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace superpose {
namespace {

class SquaredError : public testing::TestWithParam<at::DeviceType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kCUDA && !at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
  }
  at::TensorOptions options() const { return at::TensorOptions(at::Device(GetParam())); }
};
INSTANTIATE_TEST_SUITE_P(Devices, SquaredError, testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& info) { return info.param == at::kCPU ? "Cpu" : "Cuda"; });

TEST_P(SquaredError, SubtractsAndAddsToTheSum) {
  for (int64_t n : {1, 15, 16, 17, 100}) {
    const at::Tensor a = at::randn({33, n}, options()), b = at::randn({33, n}, options());
    at::Tensor difference = a.clone(), sum = at::full({1}, 5.0, options().dtype(at::kDouble));
    SubtractAndAddSquares(difference, b, sum);
    EXPECT_TRUE(at::equal(difference, a - b));
    const double expected = 5.0 + (a - b).to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(sum.item<double>(), expected, 1e-6 * expected);
  }
}

TEST_P(SquaredError, NoRowsAddNothing) {
  at::Tensor empty = at::empty({0, 4}, options()), sum = at::full({1}, 5.0, options().dtype(at::kDouble));
  SubtractAndAddSquares(empty, empty.clone(), sum);
  EXPECT_EQ(sum.item<double>(), 5.0);
}

TEST_P(SquaredError, NotANumberReachesTheSum) {
  at::Tensor a = at::zeros({2, 20}, options()), sum = at::zeros({1}, options().dtype(at::kDouble));
  a[1][3] = std::numeric_limits<float>::quiet_NaN();
  SubtractAndAddSquares(a, at::zeros_like(a), sum);
  EXPECT_TRUE(std::isnan(sum.item<double>()));
}

TEST_P(SquaredError, RefusesOtherShapes) {
  at::Tensor a = at::zeros({2, 3}, options()), sum = at::zeros({1}, options().dtype(at::kDouble));
  EXPECT_THROW(SubtractAndAddSquares(a, at::zeros({3, 2}, options()), sum), c10::Error);
}

}  // namespace
}  // namespace superpose
