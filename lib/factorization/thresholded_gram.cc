#include "lib/factorization/thresholded_gram.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/directions.h"
#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

template <typename Float>
double LargestBelow(double theta) {
  constexpr Float kAlmostOne = 1 - 8 * std::numeric_limits<Float>::epsilon();
  return std::nextafter(std::min(static_cast<Float>(theta), kAlmostOne), Float{-2});
}

}  // namespace

absl::Status CheckTheta(double theta) {
  if (theta >= -1 && theta <= 1) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "theta is ", theta, ", but cosines lie in -1 .. 1");
}

absl::StatusOr<std::shared_ptr<const ThresholdedGram>> ThresholdedGram::Create(const at::Tensor& directions,
                                                                               double theta, at::ScalarType type) {
  SUPERPOSE_RETURN_IF_ERROR(CheckTheta(theta));
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor units, UnitDirections(directions, type));
  return std::shared_ptr<const ThresholdedGram>(new ThresholdedGram(std::move(units), theta));
}

ThresholdedGram::ThresholdedGram(at::Tensor units, double theta)
    : units_(std::move(units)),
      below_(type() == at::kDouble ? LargestBelow<double>(theta) : LargestBelow<float>(theta)) {}

at::Tensor ThresholdedGram::Tile(const GramTile& tile) const {
  const at::Tensor rows = units_.narrow(0, tile.row, tile.rows), columns = units_.narrow(0, tile.column, tile.columns);
  at::Tensor cosines = Multiply(rows, columns.t()).clamp_(-1, 1);
  const int64_t offset = tile.row - tile.column;
  if (offset > -tile.rows && offset < tile.columns) cosines.diagonal(offset).fill_(1);
  return at::threshold_(cosines, below_, 0);
}

}  // namespace superpose
