// Files of tests/data/transcoder, made by its make_fixtures.py.
#include "lib/transcoder/dunefsky.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "lib/base/torch_guard.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

std::string Fixture(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/transcoder/") + name; }

absl::StatusOr<TranscoderFile> Read(const std::string& name, const std::string& sparsity = "") {
  return ReadTranscoderFile({.path = Fixture(name), .log_sparsity_path = sparsity.empty() ? "" : Fixture(sparsity)});
}

at::Tensor CountUp(double start, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return (at::arange(count, at::kFloat) + start).view(shape);
}

void ExpectSound(const TranscoderFile& file) {
  const TensorMap expected = {{"W_enc", CountUp(0, {2, 3})},
                              {"b_enc", CountUp(10, {3})},
                              {"W_dec", CountUp(20, {3, 2})},
                              {"b_dec", CountUp(30, {2})},
                              {"b_dec_out", CountUp(40, {2})}};
  EXPECT_EQ(file.tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_EQ(file.tensors.count(name), 1U) << name;
    EXPECT_TRUE(at::equal(file.tensors.at(name).to(at::kFloat), tensor)) << name;
  }
}

TEST(DunefskyTest, ReadsTensorsAndTheLayerOfTheConfig) {
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, Read("sound.pt"));
  ExpectSound(file);
  EXPECT_EQ(file.layer, 8);
}

TEST(DunefskyTest, TheConfigMayBeAPlainDict) {
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, Read("dict_cfg.pt"));
  ExpectSound(file);
  EXPECT_EQ(file.layer, 8);
}

TEST(DunefskyTest, WithoutAConfigTheLayerIsUnknown) {
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, Read("without_cfg.pt"));
  ExpectSound(file);
  EXPECT_EQ(file.layer, -1);
}

TEST(DunefskyTest, OtherPrecisionsAndStridesAreTaken) {
  for (const char* name : {"float64.pt", "bfloat16.pt", "transposed.pt"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const TranscoderFile file, Read(name));
    ExpectSound(file);
  }
}

TEST(DunefskyTest, LogSparsityIsReadWhereItIsGiven) {
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, Read("sound.pt", "log_sparsity.pt"));
  EXPECT_TRUE(at::equal(file.tensors.at("log_sparsity"), at::tensor({-5.0F, -4.0F, -3.5F})));
}

TEST(DunefskyTest, WhatIsNoTranscoderIsUnsupported) {
  for (const char* name : {"sae_by_config.pt", "sae_by_tensors.pt", "dict_cfg_of_sae.pt"}) {
    const auto file = Read(name);
    EXPECT_THAT(file, IsError(kPrecondition, reason::kTranscoderUnsupported)) << name;
    EXPECT_THAT(file, MessageHas("sparse autoencoder"));
    EXPECT_THAT(file, MessageHas(name));
  }
  const auto sparse = Read("sparse_connection.pt");
  EXPECT_THAT(sparse, IsError(kPrecondition, reason::kTranscoderUnsupported));
  EXPECT_THAT(sparse, MessageHas("is_sparse_connection"));
}

TEST(DunefskyTest, ATensorThatNobodyKnowsIsNotLeftOut) {
  const auto file = Read("extra_tensor.pt");
  EXPECT_THAT(file, IsError(kPrecondition, reason::kTranscoderUnsupported));
  EXPECT_THAT(file, MessageHas("\"scaling\""));
}

TEST(DunefskyTest, TheConventionIsThatOfTheFormat) {
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, Read("sound.pt"));
  EXPECT_EQ(file.format, "dunefsky");
  EXPECT_EQ(file.convention.input, TranscoderInput::kBeforeGain);
  EXPECT_EQ(file.convention.input_known_from, InputKnownFrom::kFormat);
  EXPECT_TRUE(file.convention.subtracts_input_bias);
  EXPECT_TRUE(file.convention.centred_target);
  EXPECT_FALSE(file.convention.has_skip);
}

TEST(DunefskyTest, MissingTensorsAreNamed) {
  for (const auto& [file, tensor] : {std::pair("without_w_enc.pt", "W_enc"), std::pair("without_w_dec.pt", "W_dec"),
                                     std::pair("without_b_dec.pt", "b_dec")}) {
    const auto read = Read(file);
    EXPECT_THAT(read, IsError(kNotFound, reason::kTensorMissing)) << file;
    EXPECT_THAT(read, MessageHas(std::string("no ") + tensor));
  }
}

TEST(DunefskyTest, WrongShapesAreNamed) {
  for (const auto& [file, tensor] :
       {std::pair("w_enc_vector.pt", "W_enc"), std::pair("no_features.pt", "W_enc"),
        std::pair("w_dec_not_transposed.pt", "W_dec"), std::pair("b_enc_short.pt", "b_enc"),
        std::pair("b_dec_out_long.pt", "b_dec_out")}) {
    const auto read = Read(file);
    EXPECT_THAT(read, IsError(kInvalid, reason::kTensorShapeMismatch)) << file;
    EXPECT_THAT(read, MessageHas(tensor));
  }
}

TEST(DunefskyTest, NanAndInfinityAreNamed) {
  for (const auto& [file, tensor] : {std::pair("w_dec_nan.pt", "W_dec"), std::pair("b_enc_infinite.pt", "b_enc")}) {
    const auto read = Read(file);
    EXPECT_THAT(read, IsError(kInvalid, reason::kTensorNotFinite)) << file;
    EXPECT_THAT(read, MessageHas(tensor));
  }
}

TEST(DunefskyTest, OtherThingsThatTorchSavesAreUnsupported) {
  for (const char* name :
       {"without_state_dict.pt", "list.pt", "state_list.pt", "b_dec_integers.pt", "log_sparsity.pt"}) {
    EXPECT_THAT(Read(name), IsError(kInvalid, reason::kFileUnsupported)) << name;
  }
}

TEST(DunefskyTest, UnsoundLogSparsityIsNamed) {
  EXPECT_THAT(Read("sound.pt", "log_sparsity_short.pt"), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(Read("sound.pt", "log_sparsity_nan.pt"), IsError(kInvalid, reason::kTensorNotFinite));
  EXPECT_THAT(Read("sound.pt", "log_sparsity_list.pt"), IsError(kInvalid, reason::kFileUnsupported));
  const auto missing = Read("sound.pt", "nowhere.pt");
  EXPECT_THAT(missing, IsError(kNotFound, reason::kFileNotFound));
  EXPECT_THAT(missing, MessageHas("nowhere.pt"));
}

TEST(DunefskyTest, AMissingFileIsNamed) {
  const auto file = Read("nowhere.pt");
  EXPECT_THAT(file, IsError(kNotFound, reason::kFileNotFound));
  EXPECT_THAT(file, MessageHas("nowhere.pt"));
}

TEST(DunefskyTest, AFileCutAnywhereIsAnErrorAndNothingElse) {
  std::ifstream stream(Fixture("sound.pt"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  const TestFolder folder;
  for (size_t size = 0; size < bytes.size(); size += 13) {
    const std::string path = folder.Write("cut.pt", absl::string_view(bytes).substr(0, size));
    const absl::Status read = CatchTorch([&]() -> absl::Status { return ReadDunefsky(path).status(); });
    EXPECT_THAT(read, IsError(kInvalid, reason::kFileCorrupt)) << size;
  }
}

}  // namespace
}  // namespace superpose
