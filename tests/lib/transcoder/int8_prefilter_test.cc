#include "lib/transcoder/int8_prefilter.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/kernels/vector_loops.h"

namespace superpose {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// x [rows, d_model], encoder [d_sae, d_model], bias and thresholds [d_sae].
struct Case {
  at::Tensor x, encoder, bias, thresholds;
};

// What the pre-filter promises: the float32 sums over all features, in its order of summation.
SparseActivations AllSums(const Case& c) {
  const int64_t d_model = c.x.size(1), d_sae = c.encoder.size(0);
  const float *x = c.x.const_data_ptr<float>(), *encoder = c.encoder.const_data_ptr<float>();
  const float *bias = c.bias.const_data_ptr<float>(), *thresholds = c.thresholds.const_data_ptr<float>();
  std::vector<int64_t> splits{0};
  std::vector<int32_t> ids;
  std::vector<float> values;
  for (int64_t r = 0; r < c.x.size(0); ++r) {
    for (int64_t j = 0; j < d_sae; ++j) {
      const float value = DotProduct(x + r * d_model, encoder + j * d_model, d_model) + bias[j];
      if (!(value > thresholds[j])) continue;
      ids.push_back(static_cast<int32_t>(j));
      values.push_back(value);
    }
    splits.push_back(static_cast<int64_t>(ids.size()));
  }
  return {at::tensor(splits, at::kLong), at::tensor(ids, at::kInt), at::tensor(values, at::kFloat), d_sae};
}

at::Tensor Marks(const SparseActivations& z) {
  const at::Tensor rows = at::repeat_interleave(z.row_splits.diff());
  return at::zeros({z.rows(), z.d_sae}, at::kBool)
      .index_put_({rows, z.feature_ids.to(at::kLong)}, at::ones({z.entries()}, at::kBool));
}

// Against float64: the same features, except where the sum is within rounding of the threshold.
void ExpectAsInFloat64(const Case& c, const SparseActivations& z) {
  const at::Tensor x = c.x.to(at::kDouble), encoder = c.encoder.to(at::kDouble), bias = c.bias.to(at::kDouble);
  const at::Tensor pre = at::matmul(x, encoder.t()) + bias, above = pre - c.thresholds;
  const at::Tensor sizes = at::matmul(x.norm(2, 1).unsqueeze(1), encoder.norm(2, 1).unsqueeze(0)) + bias.abs();
  const at::Tensor rounding = 1e-5 * (sizes + c.thresholds) + 1e-30;
  const at::Tensor is_active = Marks(z);
  const at::Tensor wrong = is_active.logical_xor(above.gt(0)).logical_and(above.abs().gt(rounding));
  EXPECT_EQ(wrong.sum().item<int64_t>(), 0);
  const at::Tensor error = (z.values.to(at::kDouble) - pre.masked_select(is_active)).abs();
  EXPECT_TRUE(error.le(rounding.masked_select(is_active)).all().item<bool>());
}

void ExpectSame(const SparseActivations& z, const SparseActivations& expected, const std::string& what) {
  EXPECT_TRUE(at::equal(z.row_splits, expected.row_splits)) << what;
  EXPECT_TRUE(at::equal(z.feature_ids, expected.feature_ids)) << what;
  EXPECT_TRUE(at::equal(z.values, expected.values)) << what;
}

// Filters however little that helps.
SparseActivations Filter(const Case& c) {
  const auto z = Int8Prefilter(c.encoder, c.bias, c.thresholds, /*largest_part=*/1).Encode(c.x);
  EXPECT_TRUE(z.has_value());
  return z.value_or(AllSums(c));
}

bool IsOfUse(const Case& c) { return Int8Prefilter(c.encoder, c.bias, c.thresholds).Encode(c.x).has_value(); }

void ExpectExact(const Case& c, const std::string& what, bool is_finite = true) {
  const SparseActivations z = Filter(c);
  ExpectSame(z, AllSums(c), what);
  if (is_finite) ExpectAsInFloat64(c, z);
}

// About one feature in 50 is active: the biases are set from the inputs.
Case Sparse(at::Tensor x, at::Tensor encoder) {
  const at::Tensor sums = at::matmul(x.to(at::kDouble), encoder.to(at::kDouble).t());
  const int64_t rank = x.size(0) - std::max<int64_t>(x.size(0) / 50, 1);
  const at::Tensor bias = -std::get<0>(sums.sort(0))[rank].to(at::kFloat);
  const at::Tensor thresholds = at::zeros_like(bias);
  return {std::move(x), std::move(encoder), bias, thresholds};
}

// With denormals kept, as where weights are loaded, and flushed, as where work runs.
class Int8PrefilterTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    at::manual_seed(1);
    at::globalContext().setFlushDenormal(GetParam());
    if (GetParam()) at::set_num_threads(1);  // only this thread's setting is changed
  }
  void TearDown() override {
    at::globalContext().setFlushDenormal(false);
    at::set_num_threads(threads_);
  }

  static at::Tensor HeavyTailed(int64_t rows, int64_t columns) {
    return at::randn({rows, columns}) / at::randn({rows, columns}).abs().clamp_min(1e-3);
  }

  const int threads_ = at::get_num_threads();
};

INSTANTIATE_TEST_SUITE_P(Denormals, Int8PrefilterTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Flushed" : "Kept"; });

TEST_P(Int8PrefilterTest, RandomWeightsOfAnyShape) {
  for (const int64_t d_model : {1, 7, 63, 64, 65, 100, 768}) {
    for (const int64_t d_sae : {1, 31, 33, 200}) {
      ExpectExact(Sparse(at::randn({150, d_model}), at::randn({d_sae, d_model})),
                  "d_model " + std::to_string(d_model) + ", d_sae " + std::to_string(d_sae));
    }
  }
}

TEST_P(Int8PrefilterTest, HeavyTails) {
  ExpectExact(Sparse(HeavyTailed(150, 96), at::randn({200, 96})), "of inputs");
  ExpectExact(Sparse(at::randn({150, 96}), HeavyTailed(200, 96)), "of weights");
  ExpectExact(Sparse(HeavyTailed(150, 96), HeavyTailed(200, 96)), "of both");
}

TEST_P(Int8PrefilterTest, OneHugeCoordinate) {
  at::Tensor x = at::randn({150, 128}), encoder = at::randn({200, 128});
  x.select(1, 77).fill_(3000);
  ExpectExact(Sparse(x, encoder), "of inputs");
  encoder.select(1, 77).fill_(0);
  ExpectExact(Sparse(x, encoder), "that no feature reads");
  encoder.select(1, 5).mul_(1e4);
  ExpectExact(Sparse(x, encoder), "of weights");
}

TEST_P(Int8PrefilterTest, EveryScaleOfInputsAndWeights) {
  for (const double of_x : {1e-44, 1e-38, 1e-30, 1e-10, 1.0, 1e10, 1e14}) {
    for (const double of_encoder : {1e-44, 1e-38, 1e-30, 1e-10, 1.0, 1e10, 1e14}) {
      const Case c = Sparse((at::randn({150, 64}, at::kDouble) * of_x).to(at::kFloat),
                            (at::randn({100, 64}, at::kDouble) * of_encoder).to(at::kFloat));
      ExpectSame(Filter(c), AllSums(c), testing::PrintToString(of_x) + " " + testing::PrintToString(of_encoder));
    }
  }
}

TEST_P(Int8PrefilterTest, RowsAndColumnsOfManyScalesTogether) {
  at::Tensor x = at::randn({150, 64}), encoder = at::randn({200, 64});
  x.mul_(at::pow(10.0, at::linspace(-12, 12, 150)).unsqueeze(1).to(at::kFloat));
  encoder.mul_(at::pow(10.0, at::linspace(-12, 12, 200)).unsqueeze(1).to(at::kFloat));
  ExpectExact(Sparse(x, encoder), "");
  Case with_denormals = Sparse(x, encoder);
  with_denormals.x.select(1, 3).fill_(1e-40F);
  with_denormals.encoder.select(1, 4).fill_(-1e-41F);
  ExpectExact(with_denormals, "with denormals");
}

TEST_P(Int8PrefilterTest, ExactlyAtTheThreshold) {
  // Small whole numbers: float32 sums are exact in any order.
  at::Tensor x = at::randint(-3, 4, {150, 48}).to(at::kFloat), encoder = at::randint(-3, 4, {150, 48}).to(at::kFloat);
  const at::Tensor own = (x * encoder).sum(1);
  const at::Tensor zeros = at::zeros({150});
  for (const double offset : {0.0, 0.25}) {
    // Feature j is at its threshold, or a little above it, at row j.
    const Case relu{x, encoder, -own + offset, zeros};
    const Case jump{x, encoder, at::full({150}, 0.5), (own + (0.5 - offset)).clamp_min(0)};
    for (const Case& c : {relu, jump}) {
      const SparseActivations expected = AllSums(c);
      ExpectSame(Filter(c), expected, std::to_string(offset));
      const at::Tensor at_own = Marks(expected).diagonal().masked_select(c.thresholds.gt(0).logical_or(c.bias.ne(0.5)));
      EXPECT_EQ(at_own.all().item<bool>(), offset > 0);
      EXPECT_EQ(at_own.any().item<bool>(), offset > 0);
    }
  }
}

TEST_P(Int8PrefilterTest, TheNextNumberAboveTheThresholdIsActive) {
  // 40 of 1,000 features have a row of their own at which they are just active or just not.
  const at::Tensor x = at::randn({40, 80}), encoder = at::randn({1000, 80});
  Case c{x, encoder, at::full({1000}, -60.0), at::zeros({1000})};
  const float *inputs = x.const_data_ptr<float>(), *columns = encoder.const_data_ptr<float>();
  auto* bias = c.bias.mutable_data_ptr<float>();
  for (int64_t j = 0; j < 40; ++j) {
    const float sum = DotProduct(inputs + j * 80, columns + j * 80, 80);
    bias[j] = j % 2 == 0 ? -sum : std::nextafter(-sum, kInfinity);
  }
  ExpectExact(c, "");
  const at::Tensor is_active = Marks(Filter(c)).diagonal();
  for (int64_t j = 0; j < 40; ++j) EXPECT_EQ(is_active[j].item<bool>(), j % 2 == 1) << j;
}

TEST_P(Int8PrefilterTest, ZeroInputsAndZeroColumns) {
  Case c = Sparse(at::randn({150, 64}), at::randn({300, 64}));
  c.x.slice(0, 10, 60).zero_();
  c.encoder.slice(0, 100, 120).zero_();
  c.bias.slice(0, 100, 110).fill_(0);
  c.bias.slice(0, 110, 112).fill_(1);  // active everywhere
  ExpectExact(c, "");
}

TEST_P(Int8PrefilterTest, ThresholdsOfJumps) {
  Case c = Sparse(at::randn({150, 64}), at::randn({300, 64}));
  c.thresholds = at::rand({300}) * 3;
  c.thresholds.slice(0, 0, 5).fill_(1e-42);
  c.thresholds.slice(0, 5, 10).fill_(3e38);
  ExpectExact(c, "");
}

TEST_P(Int8PrefilterTest, BiasesMuchLargerThanProducts) {
  Case c = Sparse(at::randn({150, 64}) * 1e-6, at::randn({300, 64}));
  c.bias.fill_(-1000);
  c.thresholds.fill_(0);
  c.bias.slice(0, 0, 3).fill_(1000);
  ExpectExact(c, "");
  c.bias.slice(0, 3, 100).fill_(-3e38F);
  ExpectExact(c, "nearly overflowing");
}

TEST_P(Int8PrefilterTest, InputsThatAreNotFinite) {
  Case c = Sparse(at::randn({200, 64}), at::randn({300, 64}));
  c.x[3][5] = kNan;
  c.x[4][6] = kInfinity;
  c.x[5][7] = -kInfinity;
  c.x[6].fill_(kNan);
  ExpectExact(c, "", /*is_finite=*/false);
}

TEST_P(Int8PrefilterTest, ProductsThatOverflow) {
  Case c = Sparse(at::randn({200, 64}), at::randn({300, 64}));
  c.x.slice(0, 0, 3).mul_(1e25F);
  c.x.slice(0, 3, 5).mul_(1e37F);
  c.encoder.slice(0, 0, 20).mul_(1e10F);
  ExpectExact(c, "of inputs and weights", /*is_finite=*/false);
  // The products are no larger than 1, what they are made of is.
  c = Sparse(at::randn({200, 64}) * 1e-37F, at::randn({300, 64}) * 1e36F);
  ExpectExact(c, "", /*is_finite=*/false);
}

TEST_P(Int8PrefilterTest, IsOfNoUseWhereManyFeaturesAreActive) {
  Case c = Sparse(at::randn({50, 64}), at::randn({300, 64}));
  c.bias.fill_(0);
  EXPECT_FALSE(IsOfUse(c));
  ExpectExact(c, "half of all");
  c.bias.fill_(1e6);
  EXPECT_FALSE(IsOfUse(c));
  ExpectExact(c, "all");
}

// Rotation spreads a coordinate that is far larger than all others over those of its block.
TEST_P(Int8PrefilterTest, IsOfUseWhereFewFeaturesAreActiveWhateverTheOutliers) {
  at::Tensor x = at::randn({400, 256});
  const at::Tensor encoder = at::randn({500, 256});
  Case c = Sparse(x, encoder);
  c.bias.sub_(20);
  EXPECT_TRUE(IsOfUse(c));
  x.select(1, 138).mul_(50);
  c = Sparse(x, encoder);
  c.bias.sub_(20);
  EXPECT_TRUE(IsOfUse(c));
}

TEST_P(Int8PrefilterTest, FewRowsAreNotFilledUpWithActiveOnes) {
  Case c = Sparse(at::randn({100, 64}), at::randn({300, 64}));
  c.bias.slice(0, 0, 10).fill_(1);  // a row of zeros has 10 active features
  c.x = c.x.slice(0, 0, 1).contiguous();
  ExpectExact(c, "");
}

TEST_P(Int8PrefilterTest, NoRowsHaveNoActivations) {
  const Case c = Sparse(at::randn({50, 64}), at::randn({30, 64}));
  const auto z = Int8Prefilter(c.encoder, c.bias, c.thresholds).Encode(c.x.slice(0, 0, 0));
  ASSERT_TRUE(z.has_value());
  EXPECT_TRUE(at::equal(z->row_splits, at::zeros({1}, at::kLong)));
  EXPECT_EQ(z->entries(), 0);
}

TEST(Int8PrefilterSupportTest, WidthsWhoseSumsCouldOverflowAreNot) {
  EXPECT_FALSE(Int8Prefilter::Supports((1 << 15) + 1));
}

}  // namespace
}  // namespace superpose
