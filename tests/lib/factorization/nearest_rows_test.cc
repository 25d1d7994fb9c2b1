#include "lib/factorization/nearest_rows.h"

#include "tests/lib/factorization/direction_rig.h"

namespace superpose {
namespace {

TEST(NearestRows, AreThoseOfTheLargestCosineWhateverItsSign) {
  const at::Tensor rows = at::tensor({0., 5., -3., 0., 1., 1., 2., 0.}).reshape({4, 2});
  ASSERT_OK_AND_ASSIGN(const auto nearest, NearestRows(rows, at::tensor({7., 0.}), 3));
  EXPECT_TRUE(at::equal(nearest.rows, at::tensor({1, 3, 2}, at::kLong)));
  EXPECT_LT(LargestError(nearest.cosines, at::tensor({-1., 1., std::sqrt(0.5)}, at::kDouble)), 1e-12);
}

TEST(NearestRows, MayBeThoseAboveAThresholdOnly) {
  const at::Tensor rows = CrowdedDirections(50, 6), direction = CrowdedDirections(1, 6)[0];
  const at::Tensor cosines = at::mv(UnitRowsOf(rows), UnitRowsOf(direction.unsqueeze(0))[0]);
  ASSERT_OK_AND_ASSIGN(const auto nearest, NearestRows(rows, direction, 1000, 0.3));
  EXPECT_EQ(nearest.rows.numel(), cosines.abs().gt(0.3).sum().item<int64_t>());
  EXPECT_LT(LargestError(nearest.cosines, cosines.index_select(0, nearest.rows)), 1e-12);
  EXPECT_LE(nearest.cosines.abs().diff().max().item<double>(), 0);
}

TEST(NearestRows, RefuseWhatPointsNowhere) {
  const at::Tensor rows = CrowdedDirections(5, 4), direction = CrowdedDirections(1, 4)[0];
  const auto invalid = IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid);
  EXPECT_THAT(NearestRows(rows, direction, 0), invalid);
  EXPECT_THAT(NearestRows(rows, direction, 1, std::nan("")), invalid);
  EXPECT_THAT(NearestRows(rows, at::zeros({4}), 1), invalid);
  EXPECT_THAT(NearestRows(rows, at::full({4}, std::nan("")), 1),
              IsError(absl::StatusCode::kInvalidArgument, reason::kTensorNotFinite));
  const auto mismatch = IsError(absl::StatusCode::kInvalidArgument, reason::kTensorShapeMismatch);
  EXPECT_THAT(NearestRows(rows, at::ones({3}), 1), mismatch);
  EXPECT_THAT(NearestRows(rows, rows, 1), mismatch);
  EXPECT_THAT(NearestRows(at::Tensor(), direction, 1), mismatch);
  EXPECT_THAT(NearestRows(at::empty({0, 4}), direction, 1),
              IsError(absl::StatusCode::kFailedPrecondition, reason::kEmptySelection));
}

}  // namespace
}  // namespace superpose
