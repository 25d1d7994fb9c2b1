#include "lib/statistics/packed_triangle.h"

#include <ATen/ATen.h>

#include "gtest/gtest.h"

namespace superpose {
namespace {

// Its upper triangle, row after row.
at::Tensor Packed(const at::Tensor& square) {
  const int64_t n = square.size(0);
  const at::Tensor places = at::triu_indices(n, n);
  return square.index({places[0], places[1]});
}

at::Tensor Symmetric(int64_t n, at::ScalarType dtype) {
  const at::Tensor values = at::randint(1, 1000, {n, n}, at::kLong);
  return at::add(values, values.t()).to(dtype);
}

TEST(PackedTriangleTest, RowsAreThoseOfTheWholeMatrix) {
  for (const at::ScalarType dtype : {at::kLong, at::kFloat, at::kDouble}) {
    const at::Tensor square = Symmetric(17, dtype);
    const at::Tensor rows = at::tensor({16, 0, 5, 5, 9}, at::kLong);
    const at::Tensor actual = TriangleRows(Packed(square), 17, rows);
    EXPECT_EQ(actual.scalar_type(), dtype);
    EXPECT_TRUE(at::equal(actual, square.index_select(0, rows))) << at::toString(dtype);
  }
}

TEST(PackedTriangleTest, AllRowsAreTheWholeMatrix) {
  const at::Tensor square = Symmetric(8, at::kLong);
  EXPECT_TRUE(at::equal(TriangleRows(Packed(square), 8, at::arange(8, at::kLong)), square));
}

TEST(PackedTriangleTest, OneNumberIsAMatrix) {
  EXPECT_TRUE(at::equal(TriangleRows(at::full({1}, 7, at::kLong), 1, at::zeros({1}, at::kLong)),
                        at::full({1, 1}, 7, at::kLong)));
}

TEST(PackedTriangleTest, NoRowsAreAskedForAndNoneCome) {
  EXPECT_EQ(TriangleRows(at::ones({6}), 3, at::empty({0}, at::kLong)).sizes(), at::IntArrayRef({0, 3}));
}

TEST(PackedTriangleTest, ATriangleOfAnotherSizeIsNotRead) {
  EXPECT_ANY_THROW(TriangleRows(at::ones({5}), 3, at::zeros({1}, at::kLong)));
}

}  // namespace
}  // namespace superpose
