#include "client/cli/evaluation_table.h"

#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

v1::MidcoderEvaluation Evaluation() {
  v1::MidcoderEvaluation evaluation;
  auto& metrics = *evaluation.mutable_metrics();
  metrics["ce_zero"] = 5;
  metrics["ce_model"] = 2;
  metrics["ce_midcoder"] = 3;
  metrics["ce_relu_gate"] = 2.5;
  metrics["ce_model_no_bos"] = 2.25;
  metrics["loss_recovered_midcoder"] = 0.66667;
  metrics["kl_midcoder"] = 0.125;
  metrics["mse_mid"] = 0.5;
  return evaluation;
}

TEST(EvaluationTableTest, UsualVariantsComeFirstAndUndefinedFiguresAreEmpty) {
  EXPECT_EQ(VariantTable(Evaluation()).Render(0),
            "MLP replaced by  cross-entropy  loss recovered     KL\n"
            "(nothing)                    2\n"
            "midcoder                     3         0.66667  0.125\n"
            "zero                         5\n"
            "relu_gate                  2.5\n");
}

TEST(EvaluationTableTest, EveryOtherFigureIsListed) {
  EXPECT_EQ(OtherFiguresTable(Evaluation()).Render(0),
            "figure           value\n"
            "ce_model_no_bos   2.25\n"
            "mse_mid            0.5\n");
}

TEST(EvaluationTableTest, AnEvaluationWithoutFiguresHasEmptyTables) {
  EXPECT_TRUE(VariantTable(v1::MidcoderEvaluation()).empty());
  EXPECT_TRUE(OtherFiguresTable(v1::MidcoderEvaluation()).empty());
}

}  // namespace
}  // namespace superpose::cli
