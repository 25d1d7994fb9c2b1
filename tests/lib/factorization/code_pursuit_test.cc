#include "lib/factorization/code_pursuit.h"

#include <ATen/ATen.h>

#include <set>

#include "gtest/gtest.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

struct Codes {
  at::Tensor ids, values, residual;
};
Codes Pursue(const at::Tensor& rows, const at::Tensor& factors, int64_t codes) {
  CodePursuit pursuit(rows.size(0), factors.size(0), rows.size(1), codes);
  const at::Tensor floats = rows.to(at::kFloat), units = factors.to(at::kFloat);
  pursuit.Begin(floats);
  while (!pursuit.RunBlock(units)) continue;
  return {pursuit.ids().clone(), pursuit.values().clone(), pursuit.residual().clone()};
}

int32_t Id(const Codes& codes, int64_t row, int64_t place) { return codes.ids[row][place].item<int32_t>(); }
float Value(const Codes& codes, int64_t row, int64_t place) { return codes.values[row][place].item<float>(); }

TEST(CodePursuit, FindsTheFactorsThatRowsWereMadeOf) {
  const at::Tensor factors = at::eye(50, at::kDouble);
  at::Tensor row = at::zeros({1, 50}, at::kDouble);
  row[0][7] = 0.5;
  row[0][31] = -2;
  const Codes codes = Pursue(row, factors, 2);
  EXPECT_EQ(Id(codes, 0, 0), 31);
  EXPECT_EQ(Id(codes, 0, 1), 7);
  EXPECT_FLOAT_EQ(Value(codes, 0, 0), -2);
  EXPECT_FLOAT_EQ(Value(codes, 0, 1), 0.5);
  EXPECT_LT(codes.residual.norm().item<double>(), 1e-6);
}

// Round by round in float64: the largest product, then least squares over what there is.
TEST(CodePursuit, TakesTheLargestProductWithWhatIsLeft) {
  const at::Tensor rows = SomeUnitRows(64, 12), factors = SomeUnitRows(1500, 12, 1.3);
  const Codes codes = Pursue(rows, factors, 4);
  for (int64_t r = 0; r < 64; ++r) {
    at::Tensor left = rows[r], taken;
    for (int64_t c = 0; c < 4; ++c) {
      const at::Tensor products = factors.mv(left).abs();
      EXPECT_NEAR(products[Id(codes, r, c)].item<double>(), products.max().item<double>(), 1e-5) << r << " " << c;
      taken = factors.index_select(0, codes.ids[r].narrow(0, 0, c + 1).to(at::kLong)).t();
      const at::Tensor magnitudes = at::linalg_pinv(taken).mv(rows[r]);
      left = rows[r] - taken.mv(magnitudes);
      if (c == 3) {
        EXPECT_LT(LargestError(codes.values[r], magnitudes), 1e-4);
      }
    }
    EXPECT_LT(LargestError(codes.residual[r], left), 1e-5);
  }
}

TEST(CodePursuit, ARowThatIsAFactorTakesNoOther) {
  const at::Tensor factors = SomeUnitRows(40, 12);
  const Codes codes = Pursue(factors, factors, 3);
  for (int64_t r = 0; r < 40; ++r) {
    EXPECT_EQ(Id(codes, r, 0), r);
    EXPECT_NEAR(Value(codes, r, 0), 1, 1e-6);
    EXPECT_EQ(Id(codes, r, 1), -1);
    EXPECT_EQ(Value(codes, r, 2), 0);
  }
}

TEST(CodePursuit, NoFactorComesTwiceAndNoneInTheSpanOfOthers) {
  const at::Tensor three = SomeUnitRows(3, 12);
  const at::Tensor factors = at::cat({three, three, three});  // each of three directions three times
  const Codes codes = Pursue(SomeUnitRows(20, 12, 1.9), factors, 6);
  for (int64_t r = 0; r < 20; ++r) {
    std::set<int32_t> directions;
    for (int64_t c = 0; c < 3; ++c) directions.insert(Id(codes, r, c) % 3);
    EXPECT_EQ(directions, (std::set<int32_t>{0, 1, 2}));
    for (int64_t c = 3; c < 6; ++c) EXPECT_EQ(Id(codes, r, c), -1);
    EXPECT_TRUE(codes.values[r].isfinite().all().item<bool>());
  }
}

TEST(CodePursuit, OneFactorAndOneRow) {
  const at::Tensor factor = SomeUnitRows(1, 5), row = SomeUnitRows(1, 5, 1.9);
  const Codes codes = Pursue(row, factor, 1);
  EXPECT_EQ(Id(codes, 0, 0), 0);
  EXPECT_NEAR(Value(codes, 0, 0), row.mm(factor.t()).item<double>(), 1e-6);
}

TEST(CodePursuit, BeginsAfreshWithFewerRows) {
  const at::Tensor factors = SomeUnitRows(40, 12).to(at::kFloat), many = SomeUnitRows(9, 12, 1.3).to(at::kFloat);
  const at::Tensor few = SomeUnitRows(4, 12, 1.9).to(at::kFloat);
  CodePursuit pursuit(9, 40, 12, 3);
  for (const at::Tensor* rows : {&many, &few}) {
    pursuit.Begin(*rows);
    while (!pursuit.RunBlock(factors)) continue;
  }
  EXPECT_TRUE(at::equal(pursuit.ids(), Pursue(few, factors, 3).ids));
  EXPECT_TRUE(at::equal(pursuit.values(), Pursue(few, factors, 3).values));
}

}  // namespace
}  // namespace superpose
