// Midcoder files of the code that this project replaces. Fixtures: tests/data/midcoder/make_fixtures.py.
#include "lib/midcoder/reference_file.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "lib/tensor_io/pytorch_writer.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

auto FailsWith(absl::StatusCode code, absl::string_view why, const char* text = "") {
  return testing::AllOf(IsError(code, why), MessageHas(text));
}

constexpr MidcoderWidths kTiny = {.d_sae = 256, .d_model = 32, .d_mlp = 128};
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Fixture(const std::string& name) { return absl::StrCat(SUPERPOSE_TEST_DATA "/midcoder/", name); }

SafetensorsFile Golden(const std::string& name) {
  auto file = SafetensorsFile::Open(absl::StrCat(SUPERPOSE_TEST_DATA "/golden/", name, ".safetensors"));
  EXPECT_OK(file);
  return *std::move(file);
}

class ReferenceFileTest : public testing::Test {
 protected:
  ReferenceFileTest()
      : path_(
            (std::filesystem::path(testing::TempDir()) / absl::StrCat("reference_file_", ::getpid(), ".pt")).string()) {
  }
  ~ReferenceFileTest() override { std::filesystem::remove(path_); }

  // Reads a file with these weights and no config.
  absl::StatusOr<ReferenceMidcoder> ReadWeights(const NamedTensors& weights, const MidcoderWidths& widths = kTiny) {
    std::filesystem::remove(path_);
    EXPECT_OK(WritePytorchFile(path_, {{"weights", weights}, {"config", PlainDict()}}));
    return ReadReferenceMidcoder(path_, widths);
  }

  const std::string path_;
};

NamedTensors TinyWeights(int64_t width = 128) {
  return {{"W_mid", at::zeros({256, width})}, {"b_mid", at::zeros({width})}, {"b_mid_out", at::zeros({32})}};
}

NamedTensors With(NamedTensors weights, const std::string& name, const at::Tensor& tensor) {
  for (auto& [other, value] : weights) {
    if (other != name) continue;
    value = tensor;
    return weights;
  }
  weights.emplace_back(name, tensor);
  return weights;
}

TEST_F(ReferenceFileTest, ParametersAreTheGoldenOnes) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder midcoder, ReadReferenceMidcoder(Fixture("with_statistics.pt"), kTiny));
  EXPECT_EQ(midcoder.form, MidForm::kDMlp);
  const SafetensorsFile golden = Golden("tiny_mid_d_mlp_f32");
  for (const char* name : {"W_mid", "b_mid", "b_mid_out"}) {
    EXPECT_TRUE(at::equal(midcoder.parameters.at(name), golden.tensors().at(absl::StrCat("after_50.", name)))) << name;
  }
}

TEST_F(ReferenceFileTest, StatisticsAreTheGoldenOnes) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder midcoder, ReadReferenceMidcoder(Fixture("with_statistics.pt"), kTiny));
  const SafetensorsFile golden = Golden("tiny_stats_d_mlp_f32");
  ASSERT_EQ(midcoder.statistics.size(), golden.tensors().size());
  for (const auto& [name, tensor] : golden.tensors()) {
    EXPECT_TRUE(at::equal(midcoder.statistics.at(name).to(tensor.scalar_type()), tensor)) << name;
  }
  EXPECT_EQ(midcoder.statistics.at("feat_ids").scalar_type(), at::kLong);
}

TEST_F(ReferenceFileTest, TheConfigObjectIsReadAndNotMade) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder midcoder, ReadReferenceMidcoder(Fixture("with_statistics.pt"), kTiny));
  EXPECT_EQ(midcoder.config.batch_size, 8);
  EXPECT_EQ(midcoder.config.context_length, 32);
  EXPECT_EQ(midcoder.config.seed, 42);
  EXPECT_FALSE(midcoder.config.lr.has_value()) << "a default of the class is not in the file";
}

TEST_F(ReferenceFileTest, TheFormFollowsFromTheWidth) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder midcoder, ReadReferenceMidcoder(Fixture("d_model.pt"), kTiny));
  EXPECT_EQ(midcoder.form, MidForm::kDModel);
  EXPECT_EQ(midcoder.config.train_tokens, 100'000);
  EXPECT_TRUE(midcoder.statistics.empty());
}

TEST_F(ReferenceFileTest, WhereBothWidthsAreEqualTheConfigTellsTheForm) {
  const MidcoderWidths equal = {.d_sae = 256, .d_model = 32, .d_mlp = 32};
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder silent, ReadWeights(TinyWeights(32), equal));
  EXPECT_EQ(silent.form, MidForm::kDModel) << "the reference's default";
  ASSERT_OK(WritePytorchFile(path_,
                             {{"weights", TinyWeights(32)}, {"config", PlainDict{{"mid_dim", std::string("d_mlp")}}}}));
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder said, ReadReferenceMidcoder(path_, equal));
  EXPECT_EQ(said.form, MidForm::kDMlp);
}

TEST_F(ReferenceFileTest, APlainConfigIsReadAsWell) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder midcoder, ReadReferenceMidcoder(Fixture("plain_config.pt"), kTiny));
  EXPECT_EQ(midcoder.config.lr, 5e-4);
}

TEST_F(ReferenceFileTest, WhatWasReadIsWrittenAndReadAgain) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder first, ReadReferenceMidcoder(Fixture("with_statistics.pt"), kTiny));
  ASSERT_OK(WriteReferenceMidcoder(path_, first));
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder second, ReadReferenceMidcoder(path_, kTiny));
  EXPECT_EQ(second.form, first.form);
  EXPECT_EQ(second.config.batch_size, first.config.batch_size);
  ASSERT_EQ(second.statistics.size(), first.statistics.size());
  for (const auto& [name, tensor] : first.statistics)
    EXPECT_TRUE(at::equal(second.statistics.at(name), tensor)) << name;
  for (const auto& [name, tensor] : first.parameters)
    EXPECT_TRUE(at::equal(second.parameters.at(name), tensor)) << name;
}

TEST_F(ReferenceFileTest, HowItCountedIsWrittenAndReadAgain) {
  ReferenceMidcoder midcoder;
  for (const auto& [name, tensor] : TinyWeights()) midcoder.parameters[name] = tensor;
  midcoder.statistics["act_sum"] = at::ones({256});
  for (const bool includes_bos : {false, true}) {
    midcoder.counting = {.includes_bos = includes_bos, .moving_parameters = !includes_bos};
    std::filesystem::remove(path_);
    ASSERT_OK(WriteReferenceMidcoder(path_, midcoder));
    ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder read, ReadReferenceMidcoder(path_, kTiny));
    EXPECT_EQ(read.counting.includes_bos, includes_bos);
    EXPECT_EQ(read.counting.moving_parameters, !includes_bos);
  }
}

TEST_F(ReferenceFileTest, AFileThatDoesNotSayHowItCountedCountsAsTheReferenceDoes) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder silent, ReadReferenceMidcoder(Fixture("with_statistics.pt"), kTiny));
  EXPECT_TRUE(silent.counting.includes_bos);
  EXPECT_TRUE(silent.counting.moving_parameters);
  const PlainDict odd = {{"includes_bos", int64_t{0}}, {"moving_parameters", false}};
  ASSERT_OK(WritePytorchFile(path_, {{"weights", TinyWeights()}, {"config", PlainDict()}, {"superpose", odd}}));
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder half, ReadReferenceMidcoder(path_, kTiny));
  EXPECT_TRUE(half.counting.includes_bos) << "a number says nothing";
  EXPECT_FALSE(half.counting.moving_parameters);
  std::filesystem::remove(path_);
  ASSERT_OK(WritePytorchFile(path_, {{"weights", TinyWeights()}, {"superpose", TinyWeights()}}));
  EXPECT_OK(ReadReferenceMidcoder(path_, kTiny)) << "tensors say nothing";
}

TEST_F(ReferenceFileTest, HalfPrecisionWeightsBecomeFloat32) {
  ASSERT_OK_AND_ASSIGN(const ReferenceMidcoder midcoder,
                       ReadWeights(With(TinyWeights(), "W_mid", at::ones({256, 128}, at::kHalf))));
  EXPECT_EQ(midcoder.parameters.at("W_mid").scalar_type(), at::kFloat);
}

TEST_F(ReferenceFileTest, AStatisticOfAllFeaturesNeedsNoIds) {
  EXPECT_OK(ReadWeights(With(TinyWeights(), "act_sum", at::ones({256}))));
  EXPECT_THAT(ReadWeights(With(TinyWeights(), "act_sum", at::ones({80}))),
              FailsWith(kInvalid, "TENSOR_SHAPE_MISMATCH"));
}

TEST_F(ReferenceFileTest, AMissingParameterIsNamed) {
  EXPECT_THAT(ReadWeights({{"W_mid", at::zeros({256, 128})}, {"b_mid", at::zeros({128})}}),
              FailsWith(absl::StatusCode::kNotFound, "TENSOR_MISSING", "b_mid_out"));
}

TEST_F(ReferenceFileTest, AnotherTranscodersMidcoderIsRefused) {
  EXPECT_THAT(ReadReferenceMidcoder(Fixture("with_statistics.pt"), {.d_sae = 512, .d_model = 32, .d_mlp = 128}),
              FailsWith(kInvalid, "TENSOR_SHAPE_MISMATCH", "[512, 128]"));
}

TEST_F(ReferenceFileTest, WeightsThatAreNotFiniteAreRefused) {
  EXPECT_THAT(
      ReadWeights(With(TinyWeights(), "b_mid", at::full({128}, std::numeric_limits<double>::quiet_NaN(), at::kFloat))),
      FailsWith(kInvalid, "TENSOR_NOT_FINITE", "b_mid"));
}

TEST_F(ReferenceFileTest, IntegerWeightsAreRefused) {
  EXPECT_THAT(ReadWeights(With(TinyWeights(), "W_mid", at::zeros({256, 128}, at::kLong))),
              FailsWith(kInvalid, "FILE_UNSUPPORTED", "W_mid"));
}

TEST_F(ReferenceFileTest, FeatureIdsBeyondTheTranscoderAreRefused) {
  EXPECT_THAT(ReadWeights(With(TinyWeights(), "feat_ids", at::tensor({0, 256}, at::kLong))),
              FailsWith(kInvalid, "FEATURE_OUT_OF_RANGE"));
  EXPECT_THAT(ReadWeights(With(TinyWeights(), "feat_ids", at::tensor({0, -1}, at::kLong))),
              FailsWith(kInvalid, "FEATURE_OUT_OF_RANGE"));
  EXPECT_THAT(ReadWeights(With(TinyWeights(), "feat_ids", at::ones({2}))), FailsWith(kInvalid, "FILE_UNSUPPORTED"));
}

TEST_F(ReferenceFileTest, ATensorThatNoMidcoderHasIsNotDroppedSilently) {
  EXPECT_THAT(ReadWeights(With(TinyWeights(), "W_dec", at::ones({2}))),
              FailsWith(kInvalid, "FILE_UNSUPPORTED", "W_dec"));
}

TEST_F(ReferenceFileTest, AnotherKindOfCheckpointIsRefused) {
  EXPECT_THAT(ReadReferenceMidcoder(SUPERPOSE_TEST_DATA "/golden/tiny_transcoder_dunefsky.pt", kTiny),
              FailsWith(kInvalid, "FILE_UNSUPPORTED", "weights"));
}

}  // namespace
}  // namespace superpose
