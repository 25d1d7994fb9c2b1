#include "lib/kernels/dense_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <tuple>
#include <vector>

#include "gtest/gtest.h"

namespace superpose {
namespace {

double LargestError(const at::Tensor& actual, const at::Tensor& expected) {
  return (actual.cpu().to(at::kDouble) - expected).abs().max().item<double>();
}

class DenseOps : public testing::TestWithParam<at::DeviceType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kCUDA && !at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
    at::manual_seed(7);
  }
  at::Tensor Random(at::IntArrayRef sizes) const { return at::randn(sizes).to(at::Device(GetParam())); }
  static at::Tensor Exact(const at::Tensor& tensor) { return tensor.cpu().to(at::kDouble); }
};
INSTANTIATE_TEST_SUITE_P(Devices, DenseOps, testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& info) { return info.param == at::kCPU ? "Cpu" : "Cuda"; });

TEST_P(DenseOps, LinearEqualsTheProductOfEveryShape) {
  for (const auto& [rows, depth, n] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {1, 1, 1}, {1, 300, 1000}, {200, 64, 3}, {77, 129, 333}, {600, 256, 130}}) {
    const at::Tensor x = Random({rows, depth}), weight = Random({depth, n}), bias = Random({n});
    const at::Tensor out = at::empty({rows, n}, x.options());
    LinearInto(x, weight, bias, LinearEnd::kNothing, out);
    const at::Tensor expected = Exact(x).mm(Exact(weight)) + Exact(bias);
    EXPECT_LT(LargestError(out, expected), 2e-4) << rows;
    LinearInto(x, weight, {}, LinearEnd::kGeluTanh, out);
    EXPECT_LT(LargestError(out, at::gelu(Exact(x).mm(Exact(weight)), "tanh")), 2e-4) << rows;
    LinearInto(x, weight.t().contiguous().t(), {}, LinearEnd::kNothing, out);
    EXPECT_LT(LargestError(out, Exact(x).mm(Exact(weight))), 2e-4) << rows;
  }
}

TEST_P(DenseOps, ProductsOfBothTypesAndAllOrders) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const at::Tensor a = Random({70, 333}).to(type), b = Random({333, 51}).to(type), out = Random({70, 51}).to(type);
    const at::Tensor before = Exact(out).clone(), product = Exact(a).mm(Exact(b));
    const double allowed = type == at::kFloat ? 2e-4 : 1e-12;
    AddProduct(a, b, out);
    EXPECT_LT(LargestError(out, before + product), allowed);
    AddProduct(a.t().contiguous().t(), b, out);
    EXPECT_LT(LargestError(out, before + 2 * product), allowed);
    MultiplyInto(a.t().contiguous().t(), b.t().contiguous().t(), out);
    EXPECT_LT(LargestError(out, product), allowed);
  }
}

TEST_P(DenseOps, ProductsOfUnlikeTypesAreRefused) {
  const at::Tensor a = Random({3, 4}), b = Random({4, 5}), out = Random({3, 5});
  EXPECT_THROW(MultiplyInto(a, b.to(at::kDouble), out), c10::Error);
  EXPECT_THROW(AddProduct(a, b, out.t()), c10::Error);
}

TEST_P(DenseOps, LinearTakesPartsOfMatrices) {
  const at::Tensor x = Random({20, 50}), weight = Random({40, 90}), all = at::zeros({20, 60}, x.options());
  LinearInto(x.narrow(1, 3, 40), weight.narrow(1, 7, 55), {}, LinearEnd::kNothing, all.narrow(1, 2, 55));
  const at::Tensor expected = Exact(x).narrow(1, 3, 40).mm(Exact(weight).narrow(1, 7, 55));
  EXPECT_LT(LargestError(all.narrow(1, 2, 55), expected), 1e-4);
  EXPECT_EQ(all.narrow(1, 0, 2).abs().max().item<float>(), 0);
  EXPECT_EQ(all.narrow(1, 57, 3).abs().max().item<float>(), 0);
}

TEST_P(DenseOps, LinearOfNoRowsAndOfNoTerms) {
  LinearInto(Random({0, 4}), Random({4, 3}), {}, LinearEnd::kNothing, Random({0, 3}));
  const at::Tensor bias = Random({3}), out = Random({2, 3});
  LinearInto(Random({2, 0}), Random({0, 3}), bias, LinearEnd::kNothing, out);
  EXPECT_TRUE(at::equal(out, bias.expand({2, 3})));
}

TEST_P(DenseOps, RowsAreNormalized) {
  for (int64_t n : {1, 5, 16, 33, 768}) {
    const at::Tensor x = Random({7, n}) * 3 + 100, out = at::empty_like(x);
    NormalizeRowsInto(x, 1e-5, out);
    EXPECT_LT(LargestError(out, at::layer_norm(Exact(x), {n}, {}, {}, 1e-5)), 2e-5) << n;
  }
}

TEST_P(DenseOps, GeluInPlaceEqualsItsDefinition) {
  const at::Tensor x = Random({20'003});
  const at::Tensor expected = at::gelu(Exact(x), "tanh");
  GeluTanhInto(x, x);
  EXPECT_LT(LargestError(x, expected), 2e-6);
}

TEST_P(DenseOps, AttentionEqualsScaledDotProduct) {
  for (const auto& [sequences, positions, heads, d_head] : std::vector<std::tuple<int64_t, int64_t, int64_t, int64_t>>{
           {1, 1, 1, 4}, {3, 20, 4, 8}, {1, 500, 2, 64}, {2, 10, 2, 300}}) {
    const at::Tensor qkv = Random({sequences, positions, 3 * heads * d_head});
    const at::Tensor out = at::empty({sequences, positions, heads * d_head}, qkv.options());
    CausalAttentionInto(qkv, heads, 0.2, out);
    const at::Tensor parts = Exact(qkv).view({sequences, positions, 3, heads, d_head}).permute({2, 0, 3, 1, 4});
    at::Tensor weights = at::matmul(parts[0], parts[1].transpose(2, 3)) * 0.2;
    weights = weights.masked_fill(at::ones({positions, positions}, at::kBool).triu(1), -1e300).softmax(-1);
    const at::Tensor expected = at::matmul(weights, parts[2]).transpose(1, 2).flatten(2);
    EXPECT_LT(LargestError(out, expected), 4e-5) << positions;
  }
}

TEST_P(DenseOps, RefusesWhatItCannotCompute) {
  const at::Tensor x = Random({2, 3}), weight = Random({3, 4}), out = Random({2, 4});
  const auto linear = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias, const at::Tensor& to) {
    LinearInto(a, b, bias, LinearEnd::kNothing, to);
  };
  EXPECT_THROW(linear(Random({2, 5}), weight, {}, out), c10::Error);
  EXPECT_THROW(linear(x.to(at::kDouble), weight, {}, out), c10::Error);
  EXPECT_THROW(linear(x, weight, Random({3}), out), c10::Error);
  EXPECT_THROW(CausalAttentionInto(Random({1, 2, 12}), 3, 1, Random({1, 2, 4})), c10::Error);
}

TEST(DenseOpsOnThreads, BitsDependOnNoNumberOfThreads) {
  at::manual_seed(7);
  const at::Tensor x = at::randn({130, 300}), weight = at::randn({300, 900}), bias = at::randn({900});
  const at::Tensor qkv = at::randn({3, 300, 3 * 32});
  const int threads = at::get_num_threads();
  std::vector<at::Tensor> products, mixed;
  for (int count : {1, 2, 3, 5}) {
    at::set_num_threads(count);
    products.push_back(at::empty({130, 900}));
    LinearInto(x, weight, bias, LinearEnd::kGeluTanh, products.back());
    mixed.push_back(at::empty({3, 300, 32}));
    CausalAttentionInto(qkv, 4, 0.3, mixed.back());
  }
  at::set_num_threads(threads);
  for (size_t i = 1; i < products.size(); ++i) {
    EXPECT_TRUE(at::equal(products[i], products[0])) << i;
    EXPECT_TRUE(at::equal(mixed[i], mixed[0])) << i;
  }
}

}  // namespace
}  // namespace superpose
