// Transcoders as the server loads them: what the self-test finds, what the config makes of it, and where it is shown.
#include "server/runtime/tested_transcoder.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "lib/transcoder/int8_prefilter.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kData[] = SUPERPOSE_TEST_DATA;

// The golden model with one SAELens transcoder of tests/data/transcoder/saelens on layer 1; `more` is put into its
// entry, `config` beside the model.
absl::StatusOr<std::unique_ptr<ModelRegistry>> Load(const std::string& fixture, const std::string& more = "",
                                                    const std::string& config = "") {
  const std::string text = absl::StrCat("device: 'cpu' model { name: 'tiny' path: '", kData,
                                        "/golden/model' transcoder { layer: 1 id: 'one' ", "path: '", kData,
                                        "/transcoder/saelens/", fixture, "' ", more, " } } ", config);
  v1::ServerConfig parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed)) << text;
  return ModelRegistry::Load(parsed);
}

v1::Transcoder Describe(const ModelRegistry& registry) {
  const auto transcoder = registry.FindTranscoder("models/tiny/transcoders/one");
  EXPECT_OK(transcoder);
  return transcoder.ok() ? DescribeTranscoder(**transcoder) : v1::Transcoder();
}

constexpr char kBefore[] = "input: 'normalized_before_gain'";
constexpr char kAfter[] = "input: 'normalized_after_gain'";

TEST(TestedTranscoderTest, ARightReadingIsShownWithItsFiguresAndWithoutAWarning) {
  ASSERT_OK_AND_ASSIGN(const auto registry, Load("jumprelu_skip_transcoder", kAfter));
  const v1::Transcoder described = Describe(*registry);
  EXPECT_EQ(described.format(), "saelens");
  const v1::TranscoderConvention& convention = described.declared_convention();
  EXPECT_EQ(convention.input(), "normalized_after_gain");
  EXPECT_EQ(convention.input_known_from(), "config");
  EXPECT_EQ(convention.activation(), "jumprelu");
  EXPECT_TRUE(convention.has_skip());
  EXPECT_FALSE(convention.centred_target());
  EXPECT_EQ(convention.folded_size(), 4);
  EXPECT_THAT(described.convention(), HasSubstr("file: normalized_after_gain"));
  const v1::TranscoderSelfTest& test = described.self_test();
  EXPECT_THAT(test.warning(), IsEmpty());
  EXPECT_GT(test.figures().tokens(), 256);
  EXPECT_GT(test.figures().explained_variance(), 0.8);
  EXPECT_EQ(test.alternates_size(), 5);
}

TEST(TestedTranscoderTest, EveryResultCarriesTheFigures) {
  ASSERT_OK_AND_ASSIGN(const auto registry, Load("transcoder"));
  ASSERT_OK_AND_ASSIGN(const ModelHandle model, registry->FindModel("models/tiny"));
  const LoadedTranscoder& transcoder = *model->transcoders.at(0);
  const v1::Provenance provenance = DescribeProvenance(*model, transcoder, nullptr);
  EXPECT_EQ(provenance.matmul_precision(), v1::MATMUL_PRECISION_FLOAT32);
  EXPECT_EQ(provenance.self_test().SerializeAsString(), Describe(*registry).self_test().figures().SerializeAsString());
  EXPECT_EQ(provenance.convention(), Describe(*registry).convention());
}

TEST(TestedTranscoderTest, AnInt8PreFilterIsMadeWhereTheConfigSaysSoAndStandsInEveryResult) {
  ASSERT_OK_AND_ASSIGN(const auto without, Load("transcoder"));
  ASSERT_OK_AND_ASSIGN(const auto with, Load("transcoder", "", "int8_prefilter: true"));
  ASSERT_OK_AND_ASSIGN(const ModelHandle model, with->FindModel("models/tiny"));
  const LoadedTranscoder& transcoder = *model->transcoders.at(0);
  const bool is_suited = Int8Prefilter::Supports(transcoder.transcoder->d_model());
  EXPECT_EQ(transcoder.transcoder->prefilter() != nullptr, is_suited);
  EXPECT_EQ(DescribeProvenance(*model, transcoder, nullptr).device(), is_suited ? "cpu, int8 pre-filter" : "cpu");
  EXPECT_EQ(Describe(*with).content_hash(), Describe(*without).content_hash());
  EXPECT_EQ(Describe(*with).memory_bytes() > Describe(*without).memory_bytes(), is_suited);
  EXPECT_NEAR(Describe(*with).self_test().figures().explained_variance(),
              Describe(*without).self_test().figures().explained_variance(), 1e-5);
}

TEST(TestedTranscoderTest, WhereTheFileLeavesItsInputOpenTheTestDecides) {
  for (const auto& [fixture, input] :
       {std::pair("transcoder", "normalized_after_gain"), std::pair("before_gain", "normalized_before_gain")}) {
    ASSERT_OK_AND_ASSIGN(const auto registry, Load(fixture, "", "self_test: SELF_TEST_POLICY_REFUSE"));
    const v1::Transcoder described = Describe(*registry);
    EXPECT_EQ(described.declared_convention().input(), input);
    EXPECT_EQ(described.declared_convention().input_known_from(), "self_test");
    EXPECT_THAT(described.self_test().warning(), IsEmpty());
  }
}

TEST(TestedTranscoderTest, AWrongReadingIsLoadedWithAWarningThatNamesTheOther) {
  for (const char* policy : {"", "self_test: SELF_TEST_POLICY_WARN"}) {
    ASSERT_OK_AND_ASSIGN(const auto registry, Load("transcoder", kBefore, policy));
    EXPECT_THAT(Describe(*registry).self_test().warning(), HasSubstr("input normalized_after_gain"));
  }
}

TEST(TestedTranscoderTest, AWrongReadingIsRefusedWhereTheConfigSaysSo) {
  const auto registry = Load("before_gain", kAfter, "self_test: SELF_TEST_POLICY_REFUSE");
  EXPECT_THAT(registry, IsError(absl::StatusCode::kFailedPrecondition, reason::kConventionMismatch));
  EXPECT_THAT(registry, MessageHas("models/tiny/transcoders/one"));
  EXPECT_THAT(registry, MessageHas("input normalized_before_gain"));
}

TEST(TestedTranscoderTest, WithoutATestNothingIsShownAndAnOpenInputIsAGuess) {
  ASSERT_OK_AND_ASSIGN(const auto registry, Load("before_gain", "", "self_test: SELF_TEST_POLICY_OFF"));
  const v1::Transcoder described = Describe(*registry);
  EXPECT_FALSE(described.has_self_test());
  EXPECT_EQ(described.declared_convention().input(), "normalized_after_gain");
  EXPECT_EQ(described.declared_convention().input_known_from(), "default");
}

TEST(TestedTranscoderTest, WithoutATokenizerACorpusServesOrElseRandomIds) {
  ASSERT_OK_AND_ASSIGN(const auto alone, Load("transcoder"));
  EXPECT_EQ(Describe(*alone).self_test().tokens(), "random token ids");
  const TestFolder folder;
  std::string ids;
  for (int i = 0; i < 1000; ++i) ids.append({static_cast<char>(i * 37 % 251), '\0'});
  const std::string corpus = absl::StrCat("corpus { name: 'rows' model: 'tiny' token_dtype: 'uint16' path: '",
                                          folder.Write("ids.bin", ids), "' }");
  ASSERT_OK_AND_ASSIGN(const auto with, Load("transcoder", "", corpus));
  EXPECT_EQ(Describe(*with).self_test().tokens(), "corpora/rows");
}

TEST(TestedTranscoderTest, TheSameFileGivesTheSameFigures) {
  ASSERT_OK_AND_ASSIGN(const auto first, Load("skip_transcoder"));
  ASSERT_OK_AND_ASSIGN(const auto second, Load("skip_transcoder"));
  EXPECT_EQ(Describe(*first).self_test().SerializeAsString(), Describe(*second).self_test().SerializeAsString());
}

TEST(TestedTranscoderTest, ATranscoderOfAnotherLayerIsRefused) {
  const std::string text =
      absl::StrCat("device: 'cpu' model { name: 'tiny' path: '", kData, "/golden/model' transcoder { layer: 2 id: 'x' ",
                   "path: '", kData, "/transcoder/saelens/transcoder' } }");
  v1::ServerConfig config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config));
  const auto registry = ModelRegistry::Load(config);
  EXPECT_THAT(registry, IsError(absl::StatusCode::kFailedPrecondition, reason::kTranscoderMismatch));
  EXPECT_THAT(registry, MessageHas("layer 1"));
}

}  // namespace
}  // namespace superpose
