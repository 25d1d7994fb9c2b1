#include "client/cli/factorization_table.h"

#include <sstream>

#include "client/cli/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

using ::testing::AllOf;
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

void SetExplanation(double error, double cosine, double l0, v1::ExplanationQuality* quality) {
  quality->set_decoders(100);
  quality->set_mean_error(error);
  quality->set_mean_cosine(cosine);
  quality->set_mean_l0(l0);
}

v1::Factorization Fitted() {
  v1::Factorization made;
  made.set_name("factorizations/ab12");
  made.mutable_provenance()->set_transcoder("models/demo/transcoders/layer2");
  made.set_layer(2);
  made.set_factors(1280);
  made.set_decoders(2000);
  made.set_held_out_decoders(200);
  v1::FactorizationSpec* spec = made.mutable_spec();
  spec->set_form(v1::FACTORIZATION_FORM_TOPK);
  spec->set_codes(5);
  spec->set_schedule(v1::FACTORIZATION_SCHEDULE_COSINE);
  spec->mutable_directions()->set_top(2200);
  v1::FactorizationQuality* quality = made.mutable_quality();
  SetExplanation(0.25, 0.75, 4.5, quality->mutable_fitted());
  SetExplanation(0.5, 0.625, 4.75, quality->mutable_held_out());
  quality->set_dead_factors(3);
  quality->set_duplicate_factors(2);
  quality->set_mean_nearest_cosine(0.375);
  quality->set_stability(0.875);
  quality->mutable_k_means()->set_directions(1280);
  SetExplanation(0.3125, 0.71875, 5, quality->mutable_k_means()->mutable_fitted());
  quality->mutable_pca()->set_directions(128);
  SetExplanation(0.59375, 0.5, 5, quality->mutable_pca()->mutable_fitted());
  return made;
}

TEST(FactorizationTableTest, FactorsStandBesideWhatCostsLittle) {
  const Lines lines = WordsOf(QualityReport(Fitted(), 0));
  ASSERT_THAT(lines, SizeIs(11));
  EXPECT_THAT(lines[0],
              ElementsAre("directions", "error", "fitted", "held", "out", "cosine", "fitted", "held", "out", "L0"));
  EXPECT_THAT(lines[1], ElementsAre("factors", "1,280", "0.25", "0.5", "0.75", "0.625", "4.5"));
  EXPECT_THAT(lines[2], ElementsAre("k-means", "1,280", "0.3125", "0.71875", "5")) << "nothing was held out";
  EXPECT_THAT(lines[3], ElementsAre("PCA", "128", "0.59375", "0.5", "5"));
  EXPECT_THAT(lines[6], ElementsAre("dead", "3"));
  EXPECT_THAT(lines[7], ElementsAre("duplicates", "2"));
  EXPECT_THAT(lines[8], ElementsAre("mean", "nearest", "cosine", "0.375"));
  EXPECT_THAT(lines[9], ElementsAre("stability", "0.875"));
}

TEST(FactorizationTableTest, WhatIsNotDefinedIsNotTold) {
  v1::Factorization made = Fitted();
  made.mutable_quality()->clear_stability();
  made.mutable_quality()->clear_mean_nearest_cosine();
  made.mutable_quality()->clear_held_out();
  const std::string report = QualityReport(made, 0);
  EXPECT_THAT(report, AllOf(Not(HasSubstr("stability")), Not(HasSubstr("nearest"))));
  EXPECT_THAT(WordsOf(report)[1], ElementsAre("factors", "1,280", "0.25", "0.75", "4.5"));
  made.clear_quality();
  EXPECT_EQ(QualityReport(made, 0), "");
}

TEST(FactorizationTableTest, OneIsARowOfTheList) {
  const std::string list = FactorizationTable({Fitted()}).Render(0);
  EXPECT_THAT(WordsOf(list)[1], ElementsAre("factorizations/ab12", "models/demo/transcoders/layer2", "topk", "1,280",
                                            "2,000", "0.5", "0.875"));
}

TEST(FactorizationTableTest, AReportSaysHowItWasMade) {
  v1::Factorization made = Fitted();
  v1::TensorInfo* tensor = made.add_tensors();
  tensor->set_name("factors");
  tensor->set_data_type(v1::DATA_TYPE_FLOAT32);
  tensor->add_shape(1280);
  const std::string report = FactorizationReport(made, 0);
  EXPECT_THAT(report, HasSubstr("real, the 2,200 most frequent"));
  EXPECT_THAT(report, HasSubstr("codes"));
  EXPECT_THAT(report, HasSubstr("k-means"));
  EXPECT_THAT(report, HasSubstr("float32 [1280]"));
}

TEST(FactorizationTableTest, PredictedDecodersNameWhatPredictedThem) {
  v1::Factorization made = Fitted();
  v1::DirectionSource* directions = made.mutable_spec()->mutable_directions();
  directions->set_kind(v1::DECODER_KIND_PREDICTED);
  directions->set_method(v1::PREDICTION_METHOD_LEAST_SQUARES);
  directions->set_snapshot("snapshots/cd34");
  directions->clear_top();
  EXPECT_THAT(FactorizationReport(made, 0), HasSubstr("predicted by snapshots/cd34, least-squares\n"));
}

TEST(FactorizationTableTest, OfAnImportedOneNothingIsSaidThatIsNotKnown) {
  v1::Factorization imported;
  imported.set_name("factorizations/ab12");
  imported.set_factors(64);
  imported.set_width(32);
  imported.set_imported_from("reference .pt");
  const std::string report = FactorizationReport(imported, 0);
  EXPECT_THAT(report, HasSubstr("reference .pt"));
  for (const char* word : {"theta", "layer", "decoders", "k-means"}) EXPECT_THAT(report, Not(HasSubstr(word)));
  EXPECT_THAT(WordsOf(FactorizationTable({imported}).Render(0))[1], ElementsAre("factorizations/ab12", "64"));
}

TEST(FactorizationTableTest, ReportsFitTheTerminal) {
  for (const int width : {100, 60, 40}) {
    std::istringstream lines(FactorizationReport(Fitted(), width));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), width) << line;
  }
}

}  // namespace
}  // namespace superpose::cli
