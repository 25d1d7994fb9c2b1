#include "lib/transcoder/activation_encoder.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "tests/status_matchers.h"

namespace superpose {
namespace {

at::Tensor Dense(const SparseActivations& z) {
  const at::Tensor rows = at::repeat_interleave(z.row_splits.diff());
  return at::zeros({z.rows(), z.d_sae}).index_put_({rows, z.feature_ids.to(at::kLong)}, z.values);
}

bool AreEqual(const SparseActivations& a, const SparseActivations& b) {
  return at::equal(a.row_splits, b.row_splits) && at::equal(a.feature_ids, b.feature_ids) &&
         at::equal(a.values, b.values);
}

// With and without the int8 pre-filter, which changes nothing.
class ActivationEncoderTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { at::manual_seed(3); }
  // `bias` is every feature's; pre-activations without it are about 1 from 0.
  void Make(int64_t d_model, int64_t d_sae, double bias, std::optional<at::Tensor> thresholds = {}) {
    TranscoderFile file;
    file.convention.centred_target = true;
    file.tensors = {{"W_enc", at::randn({d_model, d_sae}) / std::sqrt(static_cast<double>(d_model))},
                    {"b_enc", at::full({d_sae}, bias)},
                    {"W_dec", at::zeros({d_sae, d_model})},
                    {"b_dec", at::randn({d_model})},
                    {"b_dec_out", at::zeros({d_model})}};
    if (thresholds.has_value()) {
      file.convention.activation = TranscoderActivation::kJumpRelu;
      file.tensors["threshold"] = *thresholds;
    }
    auto transcoder = Transcoder::Create(file, {}, at::kCPU, {.int8_prefilter = GetParam()});
    ASSERT_OK(transcoder);
    transcoder_ = *std::move(transcoder);
  }
  at::Tensor Inputs(int64_t rows) const {
    return at::randn({rows, transcoder_->d_model()}) + transcoder_->tensor("b_dec");
  }
  SparseActivations Encode(const at::Tensor& x) {
    ActivationEncoder encoder(*transcoder_, x);
    for (tiles_ = 0; !encoder.done(); ++tiles_) encoder.EncodeNextTile();
    return encoder.Take();
  }
  // In float64; what is within rounding of its threshold may be active or not.
  void ExpectAsTheFormula(const at::Tensor& x, const SparseActivations& z) const {
    const auto wide = [&](const char* name) { return transcoder_->tensor(name).to(at::kDouble); };
    const at::Tensor pre = at::matmul(x.to(at::kDouble) - wide("b_dec"), wide("W_enc")) + wide("b_enc");
    const at::Tensor above = pre - transcoder_->active_above();
    const at::Tensor dense = Dense(z).to(at::kDouble);
    const at::Tensor differs = dense.gt(0).logical_xor(above.gt(0)).logical_and(above.abs().gt(1e-5));
    EXPECT_EQ(differs.sum().item<int64_t>(), 0);
    const at::Tensor error = (dense - pre).abs() * dense.gt(0);
    EXPECT_LT(error.max().item<double>(), 1e-5 * std::max(1.0, pre.abs().max().item<double>()));
  }

  std::shared_ptr<const Transcoder> transcoder_;
  int64_t tiles_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Filters, ActivationEncoderTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Int8" : "None"; });

TEST_P(ActivationEncoderTest, ShapesAroundThoseOfTilesLoseNothing) {
  for (const int64_t d_sae : {1, 31, 32, 33, 511, 512, 513, 1100}) {
    Make(24, d_sae, -2);
    for (const int64_t rows : {1, 11, 12, 13, 511, 512, 513}) {
      const at::Tensor x = Inputs(rows);
      ExpectAsTheFormula(x, Encode(x));
    }
  }
}

TEST_P(ActivationEncoderTest, MoreRowsThanATileHasAreEncodedPartByPart) {
  Make(8, 1100, -2);
  const at::Tensor x = Inputs(ActivationEncoder::kMostRows + 100);
  const SparseActivations z = Encode(x);
  ExpectAsTheFormula(x, z);
  EXPECT_GE(tiles_, 4);
  const at::Tensor last = x.slice(0, x.size(0) - 100);
  const at::Tensor alone = Dense(Encode(last)), together = Dense(SliceRows(z, x.size(0) - 100, x.size(0)));
  EXPECT_LT((alone - together).abs().max().item<double>(), 1e-5);
}

TEST_P(ActivationEncoderTest, TilesAreAsWideAsTheyMayBe) {
  EXPECT_EQ(ActivationEncoder::TileFeatures(4096, 24'576), 512);
  EXPECT_EQ(ActivationEncoder::TileFeatures(1 << 20, 24'576), 512);
  EXPECT_EQ(ActivationEncoder::TileFeatures(300, 24'576), 6976);
  EXPECT_EQ(ActivationEncoder::TileFeatures(1, 24'576), 24'576);
  EXPECT_EQ(ActivationEncoder::TileFeatures(0, 7), 7);
}

TEST_P(ActivationEncoderTest, EveryFeatureMayBeActiveAndNone) {
  Make(16, 700, 50);
  const at::Tensor x = Inputs(40);
  EXPECT_EQ(Encode(x).entries(), 40 * 700);
  ExpectAsTheFormula(x, Encode(x));
  Make(16, 700, -50);
  const SparseActivations none = Encode(x);
  EXPECT_EQ(none.entries(), 0);
  EXPECT_TRUE(at::equal(none.row_splits, at::zeros({41}, at::kLong)));
}

TEST_P(ActivationEncoderTest, RowsOfManyActiveFeaturesAmongRowsOfFew) {
  Make(16, 700, -2.5);
  at::Tensor x = Inputs(1600);
  x.slice(0, 600, 900).mul_(30);  // half of all features
  ExpectAsTheFormula(x, Encode(x));
}

TEST_P(ActivationEncoderTest, AJumpCountsFromItsThresholdOn) {
  for (const double lowest : {-1.0, 0.0, 0.5}) {
    Make(16, 300, -1, at::rand({300}) + lowest);
    const at::Tensor x = Inputs(100);
    ExpectAsTheFormula(x, Encode(x));
    EXPECT_TRUE((transcoder_->active_above() >= 0).all().item<bool>());
  }
}

TEST_P(ActivationEncoderTest, RowsThatAreNoNumbersAreInactiveAndLeaveTheOthersAlone) {
  Make(16, 300, -2.5);
  at::Tensor x = Inputs(600);
  const at::Tensor clean = Dense(Encode(x));
  x[5][3] = std::numeric_limits<float>::quiet_NaN();
  x[550].fill_(std::numeric_limits<float>::quiet_NaN());
  const at::Tensor dense = Dense(Encode(x));
  for (const int64_t row : {5, 550}) EXPECT_EQ(dense[row].count_nonzero().item<int64_t>(), 0);
  EXPECT_LT((dense - clean).slice(0, 6, 550).abs().max().item<double>(), 1e-5);
}

TEST_P(ActivationEncoderTest, AnInfiniteInputActivatesWhatItPointsTo) {
  Make(16, 300, -2.5);
  at::Tensor x = Inputs(3);
  x[1][3] = std::numeric_limits<float>::infinity();
  const at::Tensor active = Dense(Encode(x))[1];
  EXPECT_TRUE(at::equal(active.isinf(), transcoder_->tensor("W_enc")[3].gt(0)));
}

TEST_P(ActivationEncoderTest, TheNumberOfThreadsChangesNothing) {
  Make(64, 1100, -2);
  const at::Tensor x = Inputs(700);
  const int before = at::get_num_threads();
  const SparseActivations z = Encode(x);
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(AreEqual(Encode(x), z)) << threads;
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace superpose
