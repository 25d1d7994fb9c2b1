#include "client/cli/history_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(HistoryTableTest, RowsAreSpacedFromTheFirstToTheLast) {
  EXPECT_THAT(EvenlySpaced(10, 4), ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(EvenlySpaced(1'000'000'000, 3), ElementsAre(0, 499'999'999, 999'999'999));
  EXPECT_THAT(EvenlySpaced(10, 1), ElementsAre(9));
}

TEST(HistoryTableTest, AFewStepsAreAllShown) {
  EXPECT_THAT(EvenlySpaced(3, 20), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpaced(3, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpaced(0, 20), IsEmpty());
}

TEST(HistoryTableTest, ColumnsThatAreMissingAreEmpty) {
  v1::TrainingHistory history;
  history.add_step(1);
  history.add_step(1000);
  history.add_loss(0.5);
  history.add_loss(0.25);
  EXPECT_EQ(HistoryTable(history, 0).Render(0),
            " step  lr  loss  mse_mid  mse_out  mse_out_transcoder\n"
            "    1       0.5\n"
            "1,000      0.25\n");
}

}  // namespace
}  // namespace superpose::cli
