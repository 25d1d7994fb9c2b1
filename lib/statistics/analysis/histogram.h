// A histogram of more values than fit in memory: one pass finds their range, a second one counts. Bins are those of
// numpy.histogram: edges evenly between the smallest and the largest value, the last bin closed on the right, half a
// unit on either side where all are equal (more where they are huge), 0 .. 1 where there is none. NaN and infinities
// are left out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"

namespace superpose {

inline constexpr int64_t kDefaultBins = 100;
inline constexpr int64_t kMostBins = 10'000;

// CONFIG_INVALID unless 1 .. kMostBins.
absl::Status CheckBins(int64_t bins);

// The first pass: the smallest and the largest value, and how many are NaN.
struct ValueRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  int64_t undefined = 0;

  // values: float64 on the CPU, contiguous, of any shape.
  void Extend(const at::Tensor& values);
};

class Histogram {
 public:
  Histogram(const ValueRange& range, int64_t bins);

  // Adds to counts, int64 [bins], contiguous. values as above, none outside of the range.
  void Count(const at::Tensor& values, at::Tensor& counts) const;
  // Adds row r of values [rows, ..] to row r of counts [rows, bins].
  void CountRows(const at::Tensor& values, at::Tensor& counts) const;
  // float64 [bins + 1].
  at::Tensor Edges() const;

 private:
  void CountSpan(const double* values, int64_t size, int64_t* counts) const;

  int64_t bins_;
  std::vector<double> edges_;
  double width_ = 0;
};

}  // namespace superpose
