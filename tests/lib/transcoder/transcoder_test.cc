#include "lib/transcoder/transcoder.h"

#include <ATen/ATen.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <set>

#include "lib/transcoder/activation_encoder.h"
#include "tests/status_matchers.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kDModel = 32, kDSae = 256;

at::Tensor Dense(const SparseActivations& z) {
  const at::Tensor counts = z.row_splits.slice(0, 1) - z.row_splits.slice(0, 0, z.rows());
  const at::Tensor rows = at::repeat_interleave(counts);
  return at::zeros({z.rows(), z.d_sae}).index_put_({rows, z.feature_ids.to(at::kLong)}, z.values);
}

void ExpectWellFormed(const SparseActivations& z, int64_t rows) {
  ASSERT_EQ(z.rows(), rows);
  EXPECT_EQ(z.d_sae, kDSae);
  EXPECT_EQ(z.row_splits.scalar_type(), at::kLong);
  EXPECT_EQ(z.feature_ids.scalar_type(), at::kInt);
  EXPECT_EQ(z.values.scalar_type(), at::kFloat);
  const int64_t* splits = z.row_splits.const_data_ptr<int64_t>();
  const int32_t* ids = z.feature_ids.const_data_ptr<int32_t>();
  EXPECT_EQ(splits[0], 0);
  EXPECT_EQ(splits[rows], z.entries());
  for (int64_t row = 0; row < rows; ++row) {
    ASSERT_LE(splits[row], splits[row + 1]);
    for (int64_t entry = splits[row] + 1; entry < splits[row + 1]; ++entry) ASSERT_LT(ids[entry - 1], ids[entry]);
  }
  EXPECT_TRUE((z.values > 0).all().item<bool>());
}

class TranscoderTest : public testing::Test {
 protected:
  void SetUp() override {
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(transcoder_);
    golden_ = GoldenTensors("tiny_transcoder.safetensors");
  }
  // What the header's formula says, in float64.
  at::Tensor DensePreActivations(const at::Tensor& x) const {
    auto tensor = [&](const char* name) { return golden_.at(name).to(at::kDouble); };
    return at::matmul(x.to(at::kDouble) - tensor("b_dec"), tensor("W_enc")) + tensor("b_enc");
  }
  SparseActivations Encode(const at::Tensor& x) const {
    auto z = transcoder_->Encode(x);
    EXPECT_OK(z);
    return z.ok() ? *z : SparseActivations();
  }

  std::shared_ptr<const Transcoder> transcoder_;
  TensorMap golden_;
};

TEST_F(TranscoderTest, HoldsTheTensorsOfItsFile) {
  EXPECT_EQ(transcoder_->d_model(), kDModel);
  EXPECT_EQ(transcoder_->d_sae(), kDSae);
  EXPECT_EQ(transcoder_->declared_layer(), 1);
  EXPECT_FALSE(transcoder_->has_log_sparsity());
  EXPECT_EQ(transcoder_->tensors().size(), 5U);
  for (const auto& [name, tensor] : transcoder_->tensors()) EXPECT_TRUE(at::equal(tensor, golden_.at(name))) << name;
}

TEST_F(TranscoderTest, AFileThatIsWrittenAnewInPlaceChangesNothing) {
  TestFolder folder;
  std::ifstream golden(GoldenPath("tiny_transcoder_dunefsky.pt"), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(golden), {});
  const std::string path = folder.Write("t.pt", bytes);
  ASSERT_OK_AND_ASSIGN(const auto transcoder, Transcoder::Load({path, ""}, at::kCPU));
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary) << std::string(bytes.size(), 'x');
  for (const auto& [name, tensor] : transcoder->tensors()) EXPECT_TRUE(at::equal(tensor, golden_.at(name))) << name;
}

TEST_F(TranscoderTest, ActivationsEqualTheReference) {
  const SparseActivations z = Encode(golden_.at("x"));
  ExpectWellFormed(z, 256);
  EXPECT_LT(LargestError(Dense(z), golden_.at("acts")), 2e-6);
  const double active = (golden_.at("acts") > 0).sum().item<double>();
  EXPECT_NEAR(static_cast<double>(z.entries()), active, 1);
}

TEST_F(TranscoderTest, OutputEqualsTheReference) {
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder_->Decode(Encode(golden_.at("x")), golden_.at("x")));
  EXPECT_LT(LargestError(output, golden_.at("sae_out")), 4e-6);
}

class TranscoderOnDevice : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, TranscoderOnDevice, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(TranscoderOnDevice, EncodesAndDecodesAsTheReference) {
  const auto transcoder = GoldenTranscoder(device());
  const TensorMap golden = GoldenTensors("tiny_transcoder.safetensors");
  const at::Tensor x = golden.at("x").to(device());
  ASSERT_OK_AND_ASSIGN(const SparseActivations z, transcoder->Encode(x));
  const SparseActivations host{z.row_splits.cpu(), z.feature_ids.cpu(), z.values.cpu(), z.d_sae};
  ExpectWellFormed(host, 256);
  EXPECT_LT(LargestError(Dense(host), golden.at("acts")), 2e-6);
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder->Decode(z, x));
  EXPECT_LT(LargestError(output, golden.at("sae_out")), 4e-6);
}

TEST_F(TranscoderTest, EncodeEqualsTheDenseFormulaForAnyNumberOfRows) {
  const at::Tensor x = golden_.at("x").repeat({4, 1});
  for (const int64_t rows : {1, 2, 255, 256, 257, 1000}) {
    const at::Tensor some = x.slice(0, 0, rows);
    const SparseActivations z = Encode(some);
    ExpectWellFormed(z, rows);
    EXPECT_LT(LargestError(Dense(z), at::relu(DensePreActivations(some))), 4e-6) << rows;
  }
}

TEST_F(TranscoderTest, DecodeEqualsTheDenseProduct) {
  const SparseActivations z = Encode(golden_.at("x"));
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder_->Decode(z, golden_.at("x")));
  const at::Tensor dense = at::matmul(Dense(z).to(at::kDouble), golden_.at("W_dec").to(at::kDouble));
  EXPECT_LT(LargestError(output, dense + golden_.at("b_dec_out")), 4e-6);
}

TEST_F(TranscoderTest, ARowWithoutActiveFeaturesDecodesToTheBias) {
  const at::Tensor x = golden_.at("x").slice(0, 0, 3);
  const SparseActivations z = KeepTopK(Encode(x), 0);
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder_->Decode(z, x));
  EXPECT_TRUE(at::equal(output, golden_.at("b_dec_out").expand({3, kDModel})));
}

TEST_F(TranscoderTest, NoRowsAreEncodedAndDecoded) {
  const at::Tensor x = at::empty({0, kDModel});
  const SparseActivations z = Encode(x);
  ExpectWellFormed(z, 0);
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder_->Decode(z, x));
  EXPECT_EQ(output.sizes(), at::IntArrayRef({0, kDModel}));
}

TEST_F(TranscoderTest, ARowOfNanActivatesNothingAndLeavesItsNeighboursAlone) {
  at::Tensor x = golden_.at("x").slice(0, 0, 3).clone();
  const SparseActivations clean = Encode(x);
  x[1].fill_(std::numeric_limits<float>::quiet_NaN());
  const SparseActivations z = Encode(x);
  ExpectWellFormed(z, 3);
  EXPECT_EQ(SliceRows(z, 1, 2).entries(), 0);
  for (const int64_t row : {0, 2}) {
    EXPECT_TRUE(at::equal(SliceRows(z, row, row + 1).values, SliceRows(clean, row, row + 1).values));
    EXPECT_TRUE(at::equal(SliceRows(z, row, row + 1).feature_ids, SliceRows(clean, row, row + 1).feature_ids));
  }
}

TEST_F(TranscoderTest, StridesOfTheInputDoNotMatter) {
  const at::Tensor x = golden_.at("x");
  const at::Tensor strided = x.t().contiguous().t();
  ASSERT_FALSE(strided.is_contiguous());
  EXPECT_LT(LargestError(Dense(Encode(strided)), Dense(Encode(x))), 2e-6);
}

TEST_F(TranscoderTest, TileByTileIsTheSameAsAtOnce) {
  const at::Tensor x = golden_.at("x").repeat({17, 1});
  ActivationEncoder encoder(*transcoder_, x);
  int64_t tiles = 0;
  for (; !encoder.done(); ++tiles) encoder.EncodeNextTile();
  EXPECT_EQ(tiles, 2);  // 4,096 and 256 rows
  const SparseActivations z = encoder.Take(), at_once = Encode(x);
  EXPECT_TRUE(at::equal(z.row_splits, at_once.row_splits));
  EXPECT_TRUE(at::equal(z.feature_ids, at_once.feature_ids));
  EXPECT_TRUE(at::equal(z.values, at_once.values));
}

TEST_F(TranscoderTest, InputsOfAnotherShapeAreNamed) {
  for (const at::Tensor& x : {at::zeros({4, kDModel + 1}), at::zeros({kDModel}), at::zeros({1, 4, kDModel})}) {
    const auto z = transcoder_->Encode(x);
    EXPECT_THAT(z, IsError(kInvalid, reason::kTranscoderMismatch));
    EXPECT_THAT(z, MessageHas("[rows, 32]"));
  }
  EXPECT_FALSE(transcoder_->Encode(at::zeros({4, kDModel}, at::kDouble)).ok());
}

TEST_F(TranscoderTest, ActivationsOfAnotherTranscoderAreNamed) {
  SparseActivations z = Encode(golden_.at("x"));
  z.d_sae = kDSae + 1;
  const auto output = transcoder_->Decode(z, golden_.at("x"));
  EXPECT_THAT(output, IsError(kInvalid, reason::kTranscoderMismatch));
  EXPECT_THAT(output, MessageHas("257"));
}

TEST_F(TranscoderTest, InputsThatTheActivationsDidNotComeFromAreNamed) {
  const SparseActivations z = Encode(golden_.at("x").slice(0, 0, 4));
  for (const at::Tensor& x : {at::zeros({3, kDModel}), at::zeros({4, kDModel + 1}), at::zeros({4 * kDModel})}) {
    const auto output = transcoder_->Decode(z, x);
    EXPECT_THAT(output, IsError(kInvalid, reason::kTranscoderMismatch));
    EXPECT_THAT(output, MessageHas("[4, 32]"));
  }
}

TEST_F(TranscoderTest, LiveFeaturesAreThoseAboveTheThreshold) {
  const std::string path = GoldenPath("tiny_transcoder_dunefsky.pt");
  const std::string sparsity = GoldenPath("tiny_transcoder_dunefsky_log_feature_sparsity.pt");
  ASSERT_OK_AND_ASSIGN(const auto with, Transcoder::Load({path, sparsity}, at::kCPU));
  EXPECT_TRUE(at::equal(with->tensor("log_sparsity"), golden_.at("log_feature_sparsity")));
  ASSERT_OK_AND_ASSIGN(const at::Tensor live, with->LiveFeatures());
  EXPECT_EQ(live.numel(), kDSae - 17);  // 17 features are dead
  EXPECT_TRUE((golden_.at("log_feature_sparsity").index_select(0, live) > -4).all().item<bool>());
  EXPECT_TRUE((live.slice(0, 1) > live.slice(0, 0, -1)).all().item<bool>());
  ASSERT_OK_AND_ASSIGN(const at::Tensor all, with->LiveFeatures(-std::numeric_limits<double>::infinity()));
  EXPECT_EQ(all.numel(), kDSae);
  EXPECT_EQ(with->content_hash(), transcoder_->content_hash());  // which is of the weights
}

TEST_F(TranscoderTest, TheThresholdItselfIsNotAbove) {
  const std::string folder = SUPERPOSE_TEST_DATA "/transcoder/";  // log_sparsity: -5, -4, -3.5
  ASSERT_OK_AND_ASSIGN(const auto small, Transcoder::Load({folder + "sound.pt", folder + "log_sparsity.pt"}, at::kCPU));
  ASSERT_OK_AND_ASSIGN(const at::Tensor live, small->LiveFeatures());
  EXPECT_TRUE(at::equal(live, at::tensor({2}, at::kLong)));
  ASSERT_OK_AND_ASSIGN(const at::Tensor none, small->LiveFeatures(0));
  EXPECT_EQ(none.numel(), 0);
}

TEST_F(TranscoderTest, WithoutFrequenciesNobodyKnowsTheLiveFeatures) {
  EXPECT_THAT(transcoder_->LiveFeatures(), IsError(kPrecondition, reason::kFrequenciesMissing));
}

TEST_F(TranscoderTest, TheSameTensorsInAnotherLayoutAreComputedWithAlike) {
  const std::string folder = SUPERPOSE_TEST_DATA "/transcoder/";
  ASSERT_OK_AND_ASSIGN(const auto sound, Transcoder::Load({folder + "sound.pt", ""}, at::kCPU));
  for (const char* name : {"transposed.pt", "float64.pt", "bfloat16.pt"}) {
    ASSERT_OK_AND_ASSIGN(const auto other, Transcoder::Load({folder + name, ""}, at::kCPU));
    const at::Tensor x = at::tensor({31.0F, 30.0F, 29.0F, 33.0F}).view({2, 2});
    ASSERT_OK_AND_ASSIGN(const SparseActivations z, other->Encode(x));
    ASSERT_OK_AND_ASSIGN(const SparseActivations expected, sound->Encode(x));
    EXPECT_TRUE(at::equal(z.values, expected.values)) << name;
    EXPECT_TRUE(at::equal(*other->Decode(z, x), *sound->Decode(expected, x))) << name;
  }
}

TEST_F(TranscoderTest, AHandComputedTranscoder) {
  ASSERT_OK_AND_ASSIGN(const auto sound, Transcoder::Load({SUPERPOSE_TEST_DATA "/transcoder/sound.pt", ""}, at::kCPU));
  // x - b_dec = [1, -5]: pre = [0 - 15 + 10, 1 - 20 + 11, 2 - 25 + 12]; x - b_dec = [2, -3]: [1, 1, 1].
  const at::Tensor x = at::tensor({31.0F, 26.0F, 32.0F, 28.0F}).view({2, 2});
  ASSERT_OK_AND_ASSIGN(const SparseActivations z, sound->Encode(x));
  EXPECT_TRUE(at::equal(Dense(z), at::tensor({0.0F, 0.0F, 0.0F, 1.0F, 1.0F, 1.0F}).view({2, 3})));
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, sound->Decode(z, x));
  EXPECT_TRUE(at::equal(output, at::tensor({40.0F, 41.0F, 106.0F, 110.0F}).view({2, 2})));
}

TEST_F(TranscoderTest, AJumpKeepsOnlyWhatIsAboveItsThresholdAndZero) {
  TranscoderFile file;
  file.convention.activation = TranscoderActivation::kJumpRelu;
  file.convention.centred_target = true;
  file.tensors = {{"W_enc", at::ones({1, 5})},
                  {"b_enc", at::tensor({0.0F, 0.0F, 0.0F, 0.0F, -5.0F})},
                  {"threshold", at::tensor({0.0F, 2.0F, 2.5F, -1.0F, -9.0F})},
                  {"W_dec", at::ones({5, 1})},
                  {"b_dec_out", at::zeros({1})}};
  ASSERT_OK_AND_ASSIGN(const auto jumps, Transcoder::Create(file, {}, at::kCPU));
  ASSERT_OK_AND_ASSIGN(const SparseActivations z, jumps->Encode(at::tensor({2.0F, -0.5F, 0.0F}).view({3, 1})));
  // Pre-activations are 2 2 2 2 -3, then -0.5 and -5.5, then 0 and -5; a threshold itself is not above.
  EXPECT_TRUE(at::equal(z.row_splits, at::tensor({0, 2, 2, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(z.feature_ids, at::tensor({0, 3}, at::kInt)));
  EXPECT_TRUE(at::equal(z.values, at::tensor({2.0F, 2.0F})));
}

TEST_F(TranscoderTest, AJumpEqualsTheDenseFormulaForAnyNumberOfRowsAndFeatures) {
  for (const int64_t features : {1, 63, 64, 65, 300}) {
    TranscoderFile file;
    file.convention.activation = TranscoderActivation::kJumpRelu;
    file.convention.centred_target = true;
    file.tensors = {{"W_enc", at::randn({4, features})},
                    {"b_enc", at::randn({features})},
                    {"threshold", at::randn({features})},
                    {"W_dec", at::randn({features, 4})},
                    {"b_dec_out", at::randn({4})}};
    ASSERT_OK_AND_ASSIGN(const auto jumps, Transcoder::Create(file, {}, at::kCPU));
    const at::Tensor x = at::randn({257, 4});
    ASSERT_OK_AND_ASSIGN(const SparseActivations z, jumps->Encode(x));
    const at::Tensor pre = at::addmm(file.tensors.at("b_enc"), x, file.tensors.at("W_enc"));
    const at::Tensor wanted = pre.relu() * pre.gt(file.tensors.at("threshold"));
    EXPECT_LT(LargestError(Dense(z), wanted), 2e-6) << features;
    EXPECT_TRUE((z.values > 0).all().item<bool>());
  }
}

TEST_F(TranscoderTest, ASkipAddsTheInput) {
  TranscoderFile file;
  file.convention.has_skip = true;
  file.convention.centred_target = true;
  file.tensors = {{"W_enc", at::zeros({2, 1})},
                  {"b_enc", at::ones({1})},
                  {"W_dec", at::tensor({10.0F, 20.0F}).view({1, 2})},
                  {"b_dec_out", at::tensor({0.5F, -0.5F})},
                  {"W_skip", at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({2, 2})}};
  ASSERT_OK_AND_ASSIGN(const auto skips, Transcoder::Create(file, {}, at::kCPU));
  const at::Tensor x = at::tensor({1.0F, 0.0F, 0.0F, 1.0F}).view({2, 2});
  ASSERT_OK_AND_ASSIGN(const SparseActivations z, skips->Encode(x));
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, skips->Decode(z, x));
  EXPECT_TRUE(at::equal(output, at::tensor({11.5F, 21.5F, 13.5F, 23.5F}).view({2, 2})));
}

TranscoderFile SmallFile() {
  TranscoderFile file;
  file.tensors = {{"W_enc", at::tensor({0.0F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F}).view({2, 3})},
                  {"b_enc", at::tensor({0.5F, -0.5F, 0.0F})},
                  {"W_dec", at::tensor({1.0F, 0.0F, 0.0F, 1.0F, 1.0F, 1.0F}).view({3, 2})},
                  {"b_dec_out", at::tensor({0.25F, 0.75F})}};
  return file;
}

// As Python's hashlib and struct give it: midcoders know what they were trained on by it.
TEST_F(TranscoderTest, TheContentHashIsOfTheseBytesForEver) {
  TranscoderFile file = SmallFile();
  file.convention.centred_target = true;
  ASSERT_OK_AND_ASSIGN(const auto as_it_is, Transcoder::Create(file, {}, at::kCPU));
  EXPECT_EQ(as_it_is->content_hash(), "b49b5837fb0d52ab761a3b9bf6e79acb090f2213240428ab48d547243a36c3b5");
  file.convention.centred_target = false;
  file.convention.input = TranscoderInput::kAfterGain;
  file.convention.activation_scale = 2.5;
  const LayerNorm norm{at::tensor({1.5, 2.0}, at::kDouble), at::tensor({-0.1, 0.3}, at::kDouble)};
  ASSERT_OK_AND_ASSIGN(const auto folded, Transcoder::Create(file, norm, at::kCPU));
  EXPECT_EQ(folded->content_hash(), "13fc8d8b05ceeacc9b42293cfd03ce87e2efd65c31222c4a5c5973f0b792f238");
}

TEST_F(TranscoderTest, TheContentHashIsOfTheConvention) {
  std::set<std::string> hashes;
  for (const double scale : {1.0, 2.0}) {
    for (const bool centred : {false, true}) {
      TranscoderFile file = SmallFile();
      file.convention.centred_target = centred;
      file.convention.activation_scale = scale;
      ASSERT_OK_AND_ASSIGN(const auto transcoder, Transcoder::Create(file, {}, at::kCPU));
      hashes.insert(transcoder->content_hash());
    }
  }
  EXPECT_EQ(hashes.size(), 4U);
}

}  // namespace
}  // namespace superpose
