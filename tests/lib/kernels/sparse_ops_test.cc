#include "lib/kernels/sparse_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace superpose {
namespace {

// About `density` of the entries positive, rows without any among them; a last feature that never fires.
SparseActivations RandomActivations(int64_t rows, int64_t d_sae, double density) {
  at::Tensor dense = at::rand({rows, d_sae}).sub_(1 - density).relu_();
  dense.select(1, d_sae - 1).zero_();
  dense.select(0, rows / 2).zero_();
  const at::Tensor nonzero = dense.nonzero();
  const at::Tensor counts = dense.gt(0).sum(1);
  return {at::cat({at::zeros({1}, at::kLong), counts.cumsum(0)}), nonzero.select(1, 1).to(at::kInt).contiguous(),
          dense.index({nonzero.select(1, 0), nonzero.select(1, 1)}), d_sae};
}

SparseActivations NoEntries(int64_t rows, int64_t d_sae) {
  return {at::zeros({rows + 1}, at::kLong), at::empty({0}, at::kInt), at::empty({0}, at::kFloat), d_sae};
}

at::Tensor Dense(const SparseActivations& z) {
  at::Tensor dense = at::zeros({z.rows(), z.d_sae}, at::kDouble);
  const at::Tensor rows = at::repeat_interleave(z.row_splits.cpu().diff());
  dense.index_put_({rows, z.feature_ids.cpu().to(at::kLong)}, z.values.cpu().to(at::kDouble));
  return dense;
}

SparseActivations To(const SparseActivations& z, at::Device device) {
  return {z.row_splits.to(device), z.feature_ids.to(device), z.values.to(device), z.d_sae};
}

double RelativeError(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual.cpu().to(at::kDouble) - expected).norm() / expected.norm().clamp_min(1e-30)).item<double>();
}

class SparseOps : public testing::TestWithParam<at::DeviceType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kCUDA && !at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
    at::manual_seed(7);
  }
  at::Device device() const { return at::Device(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Devices, SparseOps, testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& info) { return info.param == at::kCPU ? "Cpu" : "Cuda"; });

TEST_P(SparseOps, ProductEqualsDenseProduct) {
  for (int64_t n : {1, 3, 16, 33, 128, 257}) {
    const SparseActivations z = RandomActivations(37, 50, 0.2);
    const at::Tensor weight = at::randn({50, n}), bias = at::randn({n});
    const at::Tensor expected = Dense(z).mm(weight.to(at::kDouble));
    const at::Tensor without = SparseTimesDense(To(z, device()), weight.to(device()), {});
    EXPECT_LT(RelativeError(without, expected), 1e-6) << n;
    const at::Tensor with = SparseTimesDense(To(z, device()), weight.to(device()), bias.to(device()));
    EXPECT_LT(RelativeError(with, expected + bias.to(at::kDouble)), 1e-6) << n;
  }
}

TEST_P(SparseOps, ProductOfNoEntriesIsTheBias) {
  const at::Tensor bias = at::randn({5});
  const at::Tensor product =
      SparseTimesDense(To(NoEntries(4, 9), device()), at::randn({9, 5}).to(device()), bias.to(device()));
  EXPECT_TRUE(at::equal(product.cpu(), bias.expand({4, 5})));
  EXPECT_EQ(SparseTimesDense(To(NoEntries(0, 9), device()), at::randn({9, 5}).to(device()), {}).size(0), 0);
}

TEST_P(SparseOps, TheBiasOfOneRowStaysAsItWas) {
  const SparseActivations z = To({at::tensor({0, 1}, at::kLong), at::zeros({1}, at::kInt), at::ones({1}), 2}, device());
  const at::Tensor weight = at::ones({2, 3}).to(device()), bias = at::full({3}, 0.5).to(device());
  for (int call = 0; call < 2; ++call) {
    const at::Tensor product = SparseTimesDense(z, weight, bias);
    EXPECT_TRUE(at::equal(product.cpu(), at::full({1, 3}, 1.5)));
    EXPECT_TRUE(at::equal(bias.cpu(), at::full({3}, 0.5)));
  }
}

TEST_P(SparseOps, ProductRefusesABiasOfAnotherKind) {
  const SparseActivations z = To(NoEntries(2, 9), device());
  const at::Tensor weight = at::randn({9, 5}).to(device());
  const std::vector<at::Tensor> biases = {at::randn({4}), at::randn({1}), at::randn({1, 5}),
                                          at::randn({5}, at::kDouble), at::randn({})};
  for (const at::Tensor& bias : biases)
    EXPECT_THROW(SparseTimesDense(z, weight, bias.to(device())), c10::Error) << bias.sizes();
}

TEST_P(SparseOps, ProductWithOneFeature) {
  const SparseActivations z{at::tensor({0, 1, 1, 2}, at::kLong), at::zeros({2}, at::kInt), at::tensor({2.0f, 3.0f}), 1};
  const at::Tensor product = SparseTimesDense(To(z, device()), at::tensor({1.0f, 10.0f}).view({1, 2}).to(device()), {});
  EXPECT_TRUE(at::equal(product.cpu(), at::tensor({2.0f, 20.0f, 0.0f, 0.0f, 3.0f, 30.0f}).view({3, 2})));
}

TEST_P(SparseOps, ProductRefusesAWeightOfAnotherShape) {
  const SparseActivations z = To(NoEntries(2, 9), device());
  EXPECT_THROW(SparseTimesDense(z, at::randn({8, 5}).to(device()), {}), c10::Error);
  EXPECT_THROW(SparseTimesDense(z, at::randn({9, 5}).to(device(), at::kDouble), {}), c10::Error);
  EXPECT_THROW(SparseTimesDense(z, at::randn({5, 9}).to(device()).t(), {}), c10::Error);
}

TEST_P(SparseOps, TransposeOrdersEntriesByFeatureThenToken) {
  const SparseActivations z{at::tensor({0, 2, 2, 4, 5}, at::kLong), at::tensor({1, 3, 0, 3, 3}, at::kInt),
                            at::tensor({1.0f, 2.0f, 3.0f, 4.0f, 5.0f}), 5};
  const TransposedActivations transposed = Transpose(To(z, device()));
  EXPECT_TRUE(at::equal(transposed.feature_splits.cpu(), at::tensor({0, 1, 2, 2, 5, 5}, at::kLong)));
  EXPECT_TRUE(at::equal(transposed.rows.cpu(), at::tensor({2, 0, 0, 2, 3}, at::kInt)));
  EXPECT_TRUE(at::equal(transposed.values.cpu(), at::tensor({3.0f, 1.0f, 2.0f, 4.0f, 5.0f})));
}

TEST_P(SparseOps, TransposeOfNoEntries) {
  const TransposedActivations transposed = Transpose(To(NoEntries(3, 4), device()));
  EXPECT_TRUE(at::equal(transposed.feature_splits.cpu(), at::zeros({5}, at::kLong)));
  EXPECT_EQ(transposed.rows.numel(), 0);
  EXPECT_EQ(transposed.values.numel(), 0);
}

// torch.optim.AdamW written out in double precision.
struct AdamWReference {
  std::vector<double> p, m, v;
  void Step(const std::vector<double>& g, const AdamWSettings& s) {
    for (size_t k = 0; k < p.size(); ++k) {
      p[k] -= s.lr * s.weight_decay * p[k];
      m[k] = s.beta1 * m[k] + (1 - s.beta1) * g[k];
      v[k] = s.beta2 * v[k] + (1 - s.beta2) * g[k] * g[k];
      const double m_hat = m[k] / (1 - std::pow(s.beta1, s.step)), v_hat = v[k] / (1 - std::pow(s.beta2, s.step));
      p[k] -= s.lr * m_hat / (std::sqrt(v_hat) + s.eps);
    }
  }
};

std::vector<double> ToVector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.cpu().to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}
at::Tensor ToTensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

// Gradients near eps, where a misplaced eps shows; a learning rate and decay that change the numbers well above
// rounding.
TEST_P(SparseOps, AdamWEqualsTheDefinitionOver20Steps) {
  const int64_t n = 40'001;
  at::Tensor p = at::randn({n}).to(device()), m = at::zeros_like(p), v = at::zeros_like(p);
  AdamWReference reference{ToVector(p), std::vector<double>(n), std::vector<double>(n)};
  const std::vector<double> start = reference.p;
  for (int step = 1; step <= 20; ++step) {
    const at::Tensor g = at::randn({n}).mul_(3e-8).to(device());
    const AdamWSettings settings{.lr = 1e-2 / step, .weight_decay = 0.1, .step = step};
    AdamWUpdate(p, m, v, g, settings);
    reference.Step(ToVector(g), settings);
  }
  EXPECT_LT(RelativeError(p - ToTensor(start).to(device()), ToTensor(reference.p) - ToTensor(start)), 2e-5);
  EXPECT_LT(RelativeError(m, ToTensor(reference.m)), 1e-6);
  EXPECT_LT(RelativeError(v, ToTensor(reference.v)), 1e-6);
}

TEST_P(SparseOps, SparseGradientAdamWEqualsDenseGradientThenAdamW) {
  const int64_t d_sae = 50, n = 35, rows = 64;
  at::Tensor p = at::randn({d_sae, n}).mul_(0.1).to(device()), m = at::zeros_like(p), v = at::zeros_like(p);
  AdamWReference reference{ToVector(p), std::vector<double>(p.numel()), std::vector<double>(p.numel())};
  for (int step = 1; step <= 20; ++step) {
    const SparseActivations z = RandomActivations(rows, d_sae, 0.1);
    const at::Tensor grad_rows = at::randn({rows, n});
    const AdamWSettings settings{.lr = 1e-3, .weight_decay = 0.1, .step = step};
    const TransposedActivations transposed = Transpose(To(z, device()));
    for (int64_t begin = 0; begin < d_sae; begin += 16) {
      SparseGradientAdamW(transposed, grad_rows.to(device()), begin, std::min(begin + 16, d_sae), p, m, v, settings);
    }
    reference.Step(ToVector(Dense(z).t().mm(grad_rows.to(at::kDouble))), settings);
  }
  EXPECT_LT(RelativeError(p.view(-1), ToTensor(reference.p)), 2e-6);
  EXPECT_LT(RelativeError(m.view(-1), ToTensor(reference.m)), 2e-6);
  EXPECT_LT(RelativeError(v.view(-1), ToTensor(reference.v)), 2e-6);
}

TEST_P(SparseOps, RowsWithoutEntriesDecayAndKeepMoving) {
  at::Tensor p = at::ones({3, 2}).to(device()), m = at::zeros_like(p), v = at::zeros_like(p);
  p[2].zero_();
  m[1].fill_(0.5);
  v[1].fill_(0.25);
  const AdamWSettings settings{.lr = 0.1, .weight_decay = 0.5, .step = 3};
  SparseGradientAdamW(Transpose(To(NoEntries(4, 3), device())), at::randn({4, 2}).to(device()), 0, 3, p, m, v,
                      settings);
  EXPECT_NEAR(p[0][0].item<double>(), 0.95, 1e-7);  // decay alone
  AdamWReference reference{{1.0}, {0.5}, {0.25}};
  reference.Step({0.0}, settings);
  EXPECT_NEAR(p[1][1].item<double>(), reference.p[0], 1e-6);
  EXPECT_TRUE(at::equal(p[2].cpu(), at::zeros({2})));  // zero throughout: stays zero
}

TEST_P(SparseOps, OnlyTheFeaturesOfTheBlockChange) {
  at::Tensor p = at::ones({4, 2}).to(device()), m = at::zeros_like(p), v = at::zeros_like(p);
  const TransposedActivations z = Transpose(To(RandomActivations(8, 4, 0.9), device()));
  SparseGradientAdamW(z, at::randn({8, 2}).to(device()), 1, 2, p, m, v, {});
  EXPECT_TRUE(at::equal(p[0].cpu(), at::ones({2})));
  EXPECT_FALSE(at::equal(p[1].cpu(), at::ones({2})));
  EXPECT_TRUE(at::equal(p[2].cpu(), at::ones({2})));
}

TEST(SparseOpsOnCpu, ResultsDoNotDependOnTheNumberOfThreads) {
  const SparseActivations z = RandomActivations(100, 60, 0.3);
  const at::Tensor weight = at::randn({60, 70}), gradient = at::randn({100, 70});
  const auto run = [&](int threads) {
    at::set_num_threads(threads);
    at::Tensor p = weight.clone(), m = at::zeros_like(p), v = at::zeros_like(p);
    SparseGradientAdamW(Transpose(z), gradient, 0, 60, p, m, v, {});
    at::Tensor dense = at::ones({50'003}), dense_m = at::zeros_like(dense), dense_v = at::zeros_like(dense);
    AdamWUpdate(dense, dense_m, dense_v, at::linspace(-1, 1, 50'003), {});
    return std::vector<at::Tensor>{SparseTimesDense(z, weight, {}), p, m, v, dense, dense_m, dense_v};
  };
  const int threads = at::get_num_threads();
  const std::vector<at::Tensor> one = run(1);
  for (int count : {2, 3, 7}) {
    const std::vector<at::Tensor> many = run(count);
    for (size_t i = 0; i < one.size(); ++i)
      EXPECT_TRUE(at::equal(one[i], many[i])) << count << " threads, tensor " << i;
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace superpose
