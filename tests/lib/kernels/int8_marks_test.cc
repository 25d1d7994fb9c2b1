#include "lib/kernels/int8_marks.h"

#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace superpose {
namespace {

constexpr int64_t kRows = kInt8GroupRows, kColumns = kInt8PanelColumns;

// One group and one panel, as the formulas see them.
class MarkInt8Test : public testing::Test {
 protected:
  void Make(int64_t depth) {
    depth_ = depth;
    row_values_.assign(kRows * depth, 0);
    column_values_.assign(kColumns * depth, 128);
    row_sums_.assign(kRows, 0);
    for (auto* measure : {&row_scales_, &row_norms_, &row_errors_}) measure->assign(kRows, 0);
    for (auto* measure : {&column_scales_, &column_lengths_, &column_errors_, &limits_}) measure->assign(kColumns, 0);
    row_scales_.assign(kRows, 1);
    column_scales_.assign(kColumns, 1);
  }
  void SetRow(int64_t row, int64_t k, int value) {
    row_values_[(k / kInt8Depth * kRows + row) * kInt8Depth + k % kInt8Depth] = static_cast<int8_t>(value);
    row_sums_[row] += value;
  }
  void SetColumn(int64_t column, int64_t k, int value) {
    column_values_[(k / kInt8Depth * kColumns + column) * kInt8Depth + k % kInt8Depth] =
        static_cast<uint8_t>(value + 128);
  }
  std::vector<uint32_t> Mark() const {
    std::vector<uint32_t> marks(kRows, 0xDEADBEEF);
    MarkInt8(
        {row_values_.data(), row_sums_.data(), row_scales_.data(), row_norms_.data(), row_errors_.data()},
        {column_values_.data(), column_scales_.data(), column_lengths_.data(), column_errors_.data(), limits_.data()},
        depth_, marks.data());
    return marks;
  }
  bool IsMarked(int64_t row, int64_t column) const { return (Mark()[row] >> column & 1) != 0; }

  int64_t depth_ = 0;
  std::vector<int8_t> row_values_;
  std::vector<uint8_t> column_values_;
  std::vector<int32_t> row_sums_;
  std::vector<float> row_scales_, row_norms_, row_errors_;
  std::vector<float> column_scales_, column_lengths_, column_errors_, limits_;
};

TEST_F(MarkInt8Test, AProductIsMarkedFromItsLimitOn) {
  for (const int64_t depth : {4, 64, 100, 768}) {
    Make(depth);
    std::mt19937 random(static_cast<unsigned>(depth));
    std::uniform_int_distribution<int> any(-127, 127);
    std::vector<std::vector<int>> rows(kRows, std::vector<int>(depth)), columns(kColumns, std::vector<int>(depth));
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t row = 0; row < kRows; ++row) SetRow(row, k, rows[row][k] = any(random));
      for (int64_t column = 0; column < kColumns; ++column) SetColumn(column, k, columns[column][k] = any(random));
    }
    for (int64_t row = 0; row < kRows; ++row) {
      std::vector<float> products(kColumns);
      for (int64_t column = 0; column < kColumns; ++column) {
        for (int64_t k = 0; k < depth; ++k) products[column] += static_cast<float>(rows[row][k] * columns[column][k]);
      }
      limits_ = products;
      EXPECT_EQ(Mark()[row], 0xFFFFFFFF) << row;
      for (int64_t column = 0; column < kColumns; column += 2) limits_[column] += 1;
      EXPECT_EQ(Mark()[row], 0xAAAAAAAA) << row;
    }
  }
}

TEST_F(MarkInt8Test, TheLargestProductsOfTheLargestDepthDoNotOverflow) {
  Make(1 << 15);
  for (int64_t k = 0; k < depth_; ++k) {
    for (int64_t row = 0; row < kRows; ++row) SetRow(row, k, row % 2 == 0 ? 127 : -127);
    for (int64_t column = 0; column < kColumns; ++column) SetColumn(column, k, column % 2 == 0 ? 127 : -127);
  }
  const float largest = 127.0F * 127.0F * static_cast<float>(1 << 15);
  limits_.assign(kColumns, 0.999F * largest);
  const std::vector<uint32_t> marks = Mark();
  for (int64_t row = 0; row < kRows; ++row) EXPECT_EQ(marks[row], row % 2 == 0 ? 0x55555555U : 0xAAAAAAAAU) << row;
  limits_.assign(kColumns, 1.001F * largest);
  EXPECT_EQ(Mark(), std::vector<uint32_t>(kRows, 0));
}

TEST_F(MarkInt8Test, ErrorsReachFarther) {
  Make(64);
  row_errors_[3] = 0.5F;
  column_lengths_[20] = 4;
  row_norms_[3] = 2;
  column_errors_[20] = 0.25F;
  limits_.assign(kColumns, 2.5F);
  EXPECT_TRUE(IsMarked(3, 20));
  EXPECT_FALSE(IsMarked(3, 19));
  EXPECT_FALSE(IsMarked(4, 20));
  limits_[20] = 2.51F;
  EXPECT_FALSE(IsMarked(3, 20));
}

TEST_F(MarkInt8Test, ScalesCount) {
  Make(64);
  SetRow(11, 0, 3);
  SetColumn(31, 0, 5);
  row_scales_[11] = 0.5F;
  column_scales_[31] = 0.25F;
  limits_.assign(kColumns, 1.875F);
  EXPECT_TRUE(IsMarked(11, 31));
  limits_[31] = 1.876F;
  EXPECT_FALSE(IsMarked(11, 31));
}

TEST_F(MarkInt8Test, WhatIsNotKnownIsMarked) {
  Make(64);
  limits_.assign(kColumns, 1e30F);
  row_errors_[5] = std::numeric_limits<float>::infinity();
  column_lengths_.assign(kColumns, 1);
  column_lengths_[0] = 0;  // infinity times zero
  EXPECT_EQ(Mark()[5], 0xFFFFFFFF);
  EXPECT_EQ(Mark()[4], 0U);
  limits_.assign(kColumns, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(Mark()[4], 0xFFFFFFFF);
}

}  // namespace
}  // namespace superpose
