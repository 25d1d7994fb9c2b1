#include <cmath>
#include <cstdint>
#include <sstream>
#include <vector>

#include "client/cli/analysis_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/answers.h"

namespace superpose::cli {
namespace {

using client::AnalysisAnswer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Lines = std::vector<std::vector<std::string>>;

// The words of every line.
Lines WordsOf(const std::string& report) {
  Lines all;
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    all.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
  }
  return all;
}

TEST(DirectionTableTest, DirectionsWithTheMostNeighborsComeFirst) {
  for (const char* of : {"feature", "factor"}) {
    AnalysisAnswer answer;
    answer.result.mutable_spec()->mutable_gram();
    PutTensor<int64_t>("neighbors", {3, 2000, 0}, &answer);
    PutTensor<double>("neighbor_sum", {1.5, 900, 0}, &answer);
    PutTensor<int64_t>(of, {12345, 7, 9}, &answer);
    const Lines lines = WordsOf(AnalysisReport(answer, 2, 0));
    ASSERT_THAT(lines, SizeIs(4));
    EXPECT_THAT(lines[0], ElementsAre(of, "neighbors", "neighbor_sum"));
    EXPECT_THAT(lines[1], ElementsAre("7", "2,000", "900"));
    EXPECT_THAT(lines[2], ElementsAre("12345", "3", "1.5"));
  }
}

TEST(DirectionTableTest, EigenvaluesStandInTheirPlaces) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_spectrum();
  PutTensor<double>("eigenvalue", {-4, 2}, &answer);
  PutTensor<double>("singular_value", {4, 2}, &answer);
  PutTensor<double>("sign", {-1, 1}, &answer);
  (*answer.result.mutable_figures())["negative_count"] = 1;
  Lines lines = WordsOf(AnalysisReport(answer, 20, 0));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[0], ElementsAre("place", "eigenvalue", "singular_value", "sign"));
  EXPECT_THAT(lines[1], ElementsAre("1", "-4", "4", "-1"));
  EXPECT_THAT(lines[3], ElementsAre("negative_count", "1"));
  PutTensor<double>("residual", {1e-7, 2e-7}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[1], ElementsAre("1", "-4", "4", "-1", "1e-07"));
}

TEST(DirectionTableTest, OfWhiteningTheEigenvaluesAreShown) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_whitening();
  PutTensor<float>("features", {1, 2, 3, 4}, &answer, {2, 2});
  PutTensor<double>("eigenvalue", {2, 0.5}, &answer);
  const Lines lines = WordsOf(AnalysisReport(answer, 20, 0));
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[2], ElementsAre("2", "0.5"));
}

TEST(DirectionTableTest, FactorsOfADecoderComeWithTheirCodesWhereThereAreSome) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_factors_of_decoder();
  PutTensor<int64_t>("factor", {1200, 3}, &answer);
  PutTensor<double>("cosine", {0.75, -0.5}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[1], ElementsAre("1200", "0.75"));
  PutTensor<double>("code", {0.5, -0.25}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[2], ElementsAre("3", "-0.25", "-0.5"));
}

TEST(DirectionTableTest, DecodersOfAFactorAndThoseThatShareFactors) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_decoders_of_factor();
  PutTensor<int64_t>("feature", {17, 4}, &answer);
  PutTensor<double>("code", {0.5, 0.25}, &answer);
  PutTensor<double>("cosine", {0.75, 0.125}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[1], ElementsAre("17", "0.5", "0.75"));
  answer.result.mutable_spec()->mutable_shared_factors();
  PutTensor<int64_t>("shared", {3, 1}, &answer);
  PutTensor<double>("overlap", {0.9, 0.1}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[0], ElementsAre("feature", "shared", "overlap", "cosine"));
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[1], ElementsAre("17", "3", "0.9", "0.75"));
}

TEST(DirectionTableTest, TheBestMatchesComeFirstWithTheirFactor) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_factor_match();
  PutTensor<int64_t>("match", {5, 1234, 0}, &answer);
  PutTensor<float>("cosine", {0.25F, 0.75F, 0.5F}, &answer);
  (*answer.result.mutable_figures())["stability"] = 0.5;
  const std::string report = AnalysisReport(answer, 2, 0);
  const Lines lines = WordsOf(report);
  EXPECT_THAT(lines[0], ElementsAre("factor", "matches", "factor", "cosine"));
  EXPECT_THAT(lines[1], ElementsAre("1", "1234", "0.75"));
  EXPECT_THAT(lines[2], ElementsAre("2", "0", "0.5"));
  EXPECT_THAT(report, HasSubstr("2 of 3 rows"));
  EXPECT_THAT(report, HasSubstr("stability 0.5\n"));
}

TEST(DirectionTableTest, AnAnswerThatDoesNotFitItselfIsNoCrash) {
  AnalysisAnswer answer;
  PutTensor<double>("cosine", {1, 0.5}, &answer);
  v1::AnalysisSpec* spec = answer.result.mutable_spec();
  spec->mutable_factor_match();
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0)), SizeIs(3)) << "without its matches";
  spec->mutable_gram();
  AnalysisReport(answer, 20, 0);
  spec->mutable_spectrum();
  PutTensor<double>("sign", {1}, &answer);
  PutTensor<double>("eigenvalue", {3, NAN}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[2], ElementsAre("2", "nan"));
  spec->mutable_decoders_of_factor();
  AnalysisReport(answer, 20, 0);
}

}  // namespace
}  // namespace superpose::cli
