#include "client/cli/analysis_table.h"

#include <cmath>
#include <cstdint>
#include <sstream>
#include <vector>

#include "client/cli/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/cli/answers.h"

namespace superpose::cli {
namespace {

using client::AnalysisAnswer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
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

AnalysisAnswer Frequencies() {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_frequencies();
  PutTensor<int64_t>("feature", {12345, 7, 9}, &answer);
  PutTensor<int64_t>("count", {2000, 10, 0}, &answer);
  PutTensor<double>("frequency", {0.5, 0.0025, 0}, &answer);
  PutTensor<double>("log10_frequency", {-0.30103, -2.60206, -INFINITY}, &answer);
  PutTensor<int64_t>("rank", {0, 1, 2}, &answer);
  return answer;
}

TEST(AnalysisTableTest, FrequenciesAreARowAFeatureInTheOrderOfTheAnswer) {
  const Lines lines = WordsOf(AnalysisReport(Frequencies(), 20, 0));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[0], ElementsAre("feature", "rank", "frequency", "log10_frequency", "count"));
  EXPECT_THAT(lines[1], ElementsAre("12345", "0", "0.5", "-0.30103", "2,000"));
  EXPECT_THAT(lines[3], ElementsAre("9", "2", "0", "-inf", "0"));
}

TEST(AnalysisTableTest, ATensorThatTheAnswerHasNotIsNoColumn) {
  AnalysisAnswer answer = Frequencies();
  answer.tensors.erase("count");
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0))[0],
              ElementsAre("feature", "rank", "frequency", "log10_frequency"));
}

TEST(AnalysisTableTest, RowsBeyondTheLimitAreCounted) {
  const std::string report = AnalysisReport(Frequencies(), 2, 0);
  EXPECT_THAT(WordsOf(report), SizeIs(4));
  EXPECT_THAT(report, HasSubstr("2 of 3 rows; --limit 0 shows all\n"));
  EXPECT_THAT(AnalysisReport(Frequencies(), 0, 0), Not(HasSubstr("--limit")));
}

TEST(AnalysisTableTest, PredictedDecodersBeginWithTheHighestCosineAndEndWithTheUndefined) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_predicted_decoders();
  PutTensor<int64_t>("feature", {1, 2, 3, 4}, &answer);
  PutTensor<double>("cosine", {0.25, NAN, 0.75, -1}, &answer);
  (*answer.result.mutable_figures())["median_cosine"] = 0.25;
  answer.result.set_undefined(1);
  const Lines lines = WordsOf(AnalysisReport(answer, 20, 0));
  ASSERT_THAT(lines, SizeIs(7));
  EXPECT_THAT(lines[1], ElementsAre("3", "0.75"));
  EXPECT_THAT(lines[2], ElementsAre("1", "0.25"));
  EXPECT_THAT(lines[3], ElementsAre("4", "-1"));
  EXPECT_THAT(lines[4], ElementsAre("2", "nan"));
  EXPECT_THAT(lines[5], ElementsAre("median_cosine", "0.25"));
  EXPECT_THAT(lines[6], ElementsAre("1", "values", "are", "not", "defined"));
}

AnalysisAnswer Pairs(v1::PairQuantity quantity) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_pairs()->set_quantity(quantity);
  PutTensor<int64_t>("feature", {5, 6, 7}, &answer);
  PutTensor<int64_t>("other_feature", {5, 6, 7}, &answer);
  PutTensor<double>("probability", {0.5, 0.25, 0.125}, &answer);
  PutTensor<double>("other_probability", {0.5, 0.25, 0.125}, &answer);
  PutTensor<double>("values", {1, 0.2, 0.9, 0.3, 1, NAN, 0.8, 0.1, 1}, &answer, {3, 3});
  return answer;
}

TEST(AnalysisTableTest, OfASymmetricQuantityEveryPairStandsOnce) {
  const Lines lines = WordsOf(AnalysisReport(Pairs(v1::PAIR_QUANTITY_PHI), 20, 0));
  ASSERT_THAT(lines, SizeIs(3)) << "5 with 7 and 5 with 6; 6 with 7 is not defined";
  EXPECT_THAT(lines[1], ElementsAre("5", "7", "0.9", "0.5", "0.125"));
  EXPECT_THAT(lines[2], ElementsAre("5", "6", "0.2", "0.5", "0.25"));
}

TEST(AnalysisTableTest, OfAnotherQuantityEveryOrderedPairStands) {
  const Lines lines = WordsOf(AnalysisReport(Pairs(v1::PAIR_QUANTITY_CONDITIONAL), 20, 0));
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_THAT(lines[2], ElementsAre("7", "5", "0.8", "0.125", "0.5"));
}

TEST(AnalysisTableTest, SimilaritiesNameTheFeatureThatIsNearest) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_decoder_similarities();
  PutTensor<int64_t>("feature", {1, 2, 3}, &answer);
  PutTensor<int64_t>("other_feature", {40, 50}, &answer);
  PutTensor<double>("row_max", {0.5, 0.75, NAN}, &answer);
  PutTensor<int64_t>("row_argmax", {0, 1, -1}, &answer);
  const Lines lines = WordsOf(AnalysisReport(answer, 20, 0));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[1], ElementsAre("2", "0.75", "50"));
  EXPECT_THAT(lines[2], ElementsAre("1", "0.5", "40"));
  EXPECT_THAT(lines[3], ElementsAre("3", "nan"));
}

TEST(AnalysisTableTest, AHistogramHasALineABin) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_feature_units();
  PutTensor<int64_t>("histogram_counts", {0, 2000, 500}, &answer);
  PutTensor<double>("histogram_edges", {0, 0.5, 1, 1.5}, &answer);
  const Lines lines = WordsOf(AnalysisReport(answer, 1, 0));
  ASSERT_THAT(lines, SizeIs(4)) << "the limit is not for bins";
  EXPECT_THAT(lines[1], ElementsAre("0", "0.5", "0"));
  EXPECT_THAT(lines[2], ElementsAre("0.5", "1", "2,000", std::string(40, '#')));
  EXPECT_THAT(lines[3], ElementsAre("1", "1.5", "500", std::string(10, '#')));
}

TEST(AnalysisTableTest, UnitsOfAFeatureOrFeaturesOfAUnit) {
  for (const char* name : {"unit", "feature"}) {
    AnalysisAnswer answer;
    answer.result.mutable_spec()->mutable_ranked_units();
    PutTensor<int64_t>(name, {12}, &answer);
    PutTensor<double>("weight", {1.5}, &answer);
    const Lines lines = WordsOf(AnalysisReport(answer, 20, 0));
    ASSERT_THAT(lines, SizeIs(2));
    EXPECT_THAT(lines[0], ElementsAre(name, "weight"));
    EXPECT_THAT(lines[1], ElementsAre("12", "1.5"));
  }
}

TEST(AnalysisTableTest, ProductsStandBesideTheFrequenciesThereAre) {
  AnalysisAnswer answer;
  answer.result.mutable_spec()->mutable_frequency_products();
  PutTensor<double>("observed", {0.5, 0.25}, &answer);
  PutTensor<double>("products", {0.5, 0.25, 0.125}, &answer);
  PutTensor<double>("pair_products", {0.25, 0.125, 0.0625}, &answer);
  const Lines lines = WordsOf(AnalysisReport(answer, 20, 0));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[2], ElementsAre("2", "0.25", "0.25", "0.125"));
  EXPECT_THAT(lines[3], ElementsAre("3", "0.125", "0.0625")) << "there are but two frequencies";
}

TEST(AnalysisTableTest, AnAnswerThatDoesNotFitItselfIsNoCrash) {
  AnalysisAnswer answer = Pairs(v1::PAIR_QUANTITY_PHI);
  PutTensor<double>("values", {1, 2}, &answer);
  EXPECT_EQ(AnalysisReport(answer, 20, 0), "");
  answer.result.mutable_spec()->mutable_feature_units();
  EXPECT_EQ(AnalysisReport(answer, 20, 0), "");
  answer.result.mutable_spec()->mutable_coactive();
  PutTensor<double>("lift", {1}, &answer);
  EXPECT_THAT(WordsOf(AnalysisReport(answer, 20, 0)), SizeIs(4));
  EXPECT_EQ(AnalysisReport(AnalysisAnswer(), 20, 0), "");
}

TEST(AnalysisTableTest, TablesFitTheTerminal) {
  for (const int width : {70, 40, 20}) {
    std::istringstream lines(AnalysisReport(Frequencies(), 0, width));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), std::max(width, 26)) << line;
  }
}

}  // namespace
}  // namespace superpose::cli
