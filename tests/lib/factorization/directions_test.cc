#include "lib/factorization/directions.h"

#include <limits>

#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

TEST(UnitDirections, HaveLengthOneAndPointWhereTheyDid) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const at::Tensor rows = CrowdedDirections(50, 7).to(type);
    ASSERT_OK_AND_ASSIGN(const at::Tensor units, UnitDirections(rows, type));
    EXPECT_EQ(units.scalar_type(), type);
    EXPECT_LT(LargestError(units, UnitRowsOf(rows)), type == at::kFloat ? 6e-8 : 1e-15);
  }
}

TEST(UnitDirections, OfManyRowsAreWorkedOutInPartsThatFitTogether) {
  const at::Tensor rows = at::arange(3'000'000, at::kFloat).sin().reshape({-1, 3});
  ASSERT_OK_AND_ASSIGN(const at::Tensor units, UnitDirections(rows, at::kFloat));
  EXPECT_LT(LargestError(units, UnitRowsOf(rows)), 6e-8);
}

TEST(UnitDirections, OfHugeAndTinyNumbersAreDefined) {
  const at::Tensor rows = at::tensor({3e200, 4e200, 3e-200, 4e-200}, at::kDouble).reshape({2, 2});
  ASSERT_OK_AND_ASSIGN(const at::Tensor units, UnitDirections(rows, at::kDouble));
  EXPECT_LT(LargestError(units, at::tensor({0.6, 0.8, 0.6, 0.8}, at::kDouble).reshape({2, 2})), 1e-15);
}

TEST(UnitDirections, OfNothingAreRefused) {
  EXPECT_THAT(UnitDirections(at::empty({0, 4}), at::kFloat),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kEmptySelection));
}

TEST(UnitDirections, MustBeAMatrixOfFloatingPointNumbers) {
  for (const at::Tensor& wrong :
       {at::Tensor(), at::ones({3}), at::ones({3, 0}), at::ones({2, 2, 2}), at::ones({3, 3}, at::kLong)}) {
    EXPECT_THAT(UnitDirections(wrong, at::kFloat),
                IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch));
  }
}

TEST(UnitDirections, NameTheFirstThatIsNotFinite) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    at::Tensor rows = CrowdedDirections(9, 4);
    rows[5][3] = bad;
    rows[7][0] = bad;
    const auto units = UnitDirections(rows, at::kFloat);
    EXPECT_THAT(units, IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
    EXPECT_THAT(units, MessageHas("direction 5"));
    EXPECT_THAT(units, MessageHas("2 of 9"));
  }
}

TEST(UnitDirections, NameTheFirstOfLengthZero) {
  at::Tensor rows = CrowdedDirections(9, 4);
  rows[3].zero_();
  const auto units = UnitDirections(rows, at::kFloat);
  EXPECT_THAT(units, IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(units, MessageHas("direction 3"));
}

}  // namespace
}  // namespace superpose
