// Factorization files of the code that this project replaces. Fixtures: tests/data/factorization/make_fixtures.py.
#include "lib/factorization/reference_factors.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/tensor_io/pytorch_file.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string Fixture(const std::string& name) { return absl::StrCat(SUPERPOSE_TEST_DATA "/factorization/", name); }

// What the fixtures hold.
at::Tensor FixtureParameter() { return at::arange(1, 49, at::kFloat).reshape({8, 6}); }

auto FailsWith(absl::StatusCode code, absl::string_view why, const char* text = "") {
  return testing::AllOf(IsError(code, why), MessageHas(text));
}

class ReferenceFactorsTest : public testing::Test {
 protected:
  // Reads a file with these weights and no config.
  absl::StatusOr<ReferenceFactors> ReadWeights(const NamedTensors& weights) {
    const std::string path = folder_.File(absl::StrCat(files_++, ".pt"));
    EXPECT_OK(WritePytorchFile(path, {{"weights", weights}, {"config", PlainDict()}}));
    return ReadReferenceFactors(path);
  }

  const TestFolder folder_;
  int files_ = 0;
};

void ExpectFixture(const ReferenceFactors& read) {
  EXPECT_TRUE(at::equal(read.parameter, FixtureParameter()));
  EXPECT_TRUE(read.parameter.is_contiguous() && read.factors.is_contiguous());
  EXPECT_TRUE(at::allclose(read.factors.norm(2, at::IntArrayRef{1}), at::ones({8}), 0, 1e-6));
  const at::Tensor lengths = FixtureParameter().norm(2, at::IntArrayRef{1}).unsqueeze(1);
  EXPECT_TRUE(at::allclose(read.factors * lengths, FixtureParameter(), 1e-6, 0));
}

TEST_F(ReferenceFactorsTest, TheReferencesFileIsReadAndItsConfigObjectIsNotMade) {
  ASSERT_OK_AND_ASSIGN(const ReferenceFactors read, ReadReferenceFactors(Fixture("reference.pt")));
  ExpectFixture(read);
}

TEST_F(ReferenceFactorsTest, ColumnsOfTheLaterFormsDecoderAreFactors) {
  ASSERT_OK_AND_ASSIGN(const ReferenceFactors read, ReadReferenceFactors(Fixture("topk.pt")));
  ExpectFixture(read);
}

TEST_F(ReferenceFactorsTest, NothingInAHostileFileRuns) {
  EXPECT_OK(ReadReferenceFactors(Fixture("hostile_config.pt"))) << "its factors are sound";
  EXPECT_THAT(ReadReferenceFactors(Fixture("hostile_weights.pt")), FailsWith(kInvalid, "FILE_UNSUPPORTED"));
  EXPECT_FALSE(std::filesystem::exists("superpose_was_here"));
}

TEST_F(ReferenceFactorsTest, WhatIsWrittenIsReadAgain) {
  const std::string path = folder_.File("written.pt");
  const at::Tensor parameter = at::arange(-7, 8, at::kFloat).reshape({5, 3}) * 0.37;
  ASSERT_OK(WriteReferenceFactors(path, parameter, {{"theta", 0.3}, {"factors", int64_t{5}}}));
  ASSERT_OK_AND_ASSIGN(const ReferenceFactors read, ReadReferenceFactors(path));
  EXPECT_TRUE(at::equal(read.parameter, parameter));
  ASSERT_OK_AND_ASSIGN(const PickleDocument document, ReadPytorchFile(path));
  const auto* config = std::get<const PickleDict*>(document.root())->Find("config");
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(std::get<double>(*std::get<const PickleDict*>(*config)->Find("theta")), 0.3);
}

TEST_F(ReferenceFactorsTest, OtherFloatingPointTypesBecomeFloat32) {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16, at::kDouble}) {
    ASSERT_OK_AND_ASSIGN(const ReferenceFactors read, ReadWeights({{"factors", at::ones({2, 3}, type)}}));
    EXPECT_EQ(read.parameter.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(read.parameter, at::ones({2, 3})));
  }
}

TEST_F(ReferenceFactorsTest, OneFactorOfWidthOneIsEnough) {
  ASSERT_OK_AND_ASSIGN(const ReferenceFactors read, ReadWeights({{"factors", at::full({1, 1}, -4.0F)}}));
  EXPECT_EQ(read.factors.item<float>(), -1);
}

TEST_F(ReferenceFactorsTest, ShapesThatAreWrongAreRefused) {
  const at::Tensor sound = at::ones({2, 3});
  const std::vector<NamedTensors> wrong = {{{"factors", at::ones({3})}},
                                           {{"factors", at::ones({2, 3, 1})}},
                                           {{"factors", at::ones({0, 3})}},
                                           {{"factors", at::ones({2, 0})}},
                                           {{"factors", sound}, {"b_pre", at::ones({2})}},
                                           {{"decoder.weight", sound}, {"encoder.weight", sound}},
                                           {{"decoder.weight", sound}, {"b_pre", at::ones({3})}}};
  for (const NamedTensors& weights : wrong) {
    EXPECT_THAT(ReadWeights(weights), FailsWith(kInvalid, "TENSOR_SHAPE_MISMATCH")) << weights.back().first;
  }
  EXPECT_OK(ReadWeights({{"decoder.weight", sound}, {"encoder.weight", sound.t()}, {"b_pre", at::ones({2})}}));
}

TEST_F(ReferenceFactorsTest, ValuesThatAreNotFiniteAreRefusedByName) {
  for (const double value : {kNaN, std::numeric_limits<double>::infinity(), 1e39}) {
    at::Tensor factors = at::ones({2, 3}, at::kDouble);
    factors[1][2] = value;
    EXPECT_THAT(ReadWeights({{"factors", factors}}), FailsWith(kInvalid, "TENSOR_NOT_FINITE", "factors"));
  }
  EXPECT_THAT(ReadWeights({{"factors", at::ones({2, 3})}, {"b_pre", at::full({3}, kNaN, at::kFloat)}}),
              FailsWith(kInvalid, "TENSOR_NOT_FINITE", "b_pre"));
}

TEST_F(ReferenceFactorsTest, AFactorOfLengthZeroIsRefusedWithItsNumber) {
  at::Tensor factors = at::ones({3, 2});
  factors[1].zero_();
  EXPECT_THAT(ReadWeights({{"factors", factors}}), FailsWith(kInvalid, "CONFIG_INVALID", "direction 1"));
  EXPECT_THAT(ReadWeights({{"decoder.weight", factors.t()}}), FailsWith(kInvalid, "CONFIG_INVALID", "decoder.weight"));
  EXPECT_THAT(ReadWeights({{"factors", at::full({1, 2}, 1e-300, at::kDouble)}}), FailsWith(kInvalid, "CONFIG_INVALID"))
      << "it is 0 in float32";
}

TEST_F(ReferenceFactorsTest, WhatNoFactorizationHasIsRefused) {
  const at::Tensor sound = at::ones({2, 3});
  EXPECT_THAT(ReadWeights({{"factors", sound}, {"W_dec", sound}}), FailsWith(kInvalid, "FILE_UNSUPPORTED", "W_dec"));
  EXPECT_THAT(ReadWeights({{"factors", sound}, {"encoder.weight", sound}}), FailsWith(kInvalid, "FILE_UNSUPPORTED"));
  EXPECT_THAT(ReadWeights({{"factors", at::ones({2, 3}, at::kLong)}}), FailsWith(kInvalid, "FILE_UNSUPPORTED"));
  EXPECT_THAT(ReadWeights({{"b_pre", at::ones({3})}}),
              FailsWith(absl::StatusCode::kNotFound, "TENSOR_MISSING", "factors"));
  EXPECT_THAT(ReadWeights({}), FailsWith(absl::StatusCode::kNotFound, "TENSOR_MISSING"));
}

TEST_F(ReferenceFactorsTest, OtherFilesAreRefused) {
  EXPECT_THAT(ReadReferenceFactors(SUPERPOSE_TEST_DATA "/golden/tiny_transcoder_dunefsky.pt"),
              FailsWith(kInvalid, "FILE_UNSUPPORTED", "weights"));
  EXPECT_THAT(ReadReferenceFactors(SUPERPOSE_TEST_DATA "/midcoder/d_model.pt"),
              FailsWith(absl::StatusCode::kNotFound, "TENSOR_MISSING"));
  EXPECT_THAT(ReadReferenceFactors(folder_.Write("short.pt", "PK")), FailsWith(kInvalid, "FILE_CORRUPT"));
  EXPECT_THAT(ReadReferenceFactors(folder_.File("none.pt")), FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
}

}  // namespace
}  // namespace superpose
