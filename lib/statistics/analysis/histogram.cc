#include "lib/statistics/analysis/histogram.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"

namespace superpose {

absl::Status CheckBins(int64_t bins) {
  if (bins >= 1 && bins <= kMostBins) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "bins is ", bins, ", but must be 1 .. ", kMostBins);
}

void ValueRange::Extend(const at::Tensor& values) {
  const auto* data = values.const_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    if (std::isfinite(data[i])) {
      low = std::min(low, data[i]);
      high = std::max(high, data[i]);
    } else if (std::isnan(data[i])) {
      ++undefined;
    }
  }
}

Histogram::Histogram(const ValueRange& range, int64_t bins) : bins_(bins) {
  double low = 0;
  double high = 1;
  if (range.low <= range.high) {
    low = range.low;
    high = range.high;
  }
  if (low == high) {
    const double half = std::max(0.5, std::abs(low) * 1e-9);  // or rounding would take it away from a huge value
    low -= half;
    high += half;
  }
  const double step = (high - low) / static_cast<double>(bins);
  for (int64_t bin = 0; bin < bins; ++bin) edges_.push_back(static_cast<double>(bin) * step + low);
  edges_.push_back(high);
  width_ = high - low;
}

void Histogram::CountSpan(const double* values, int64_t size, int64_t* counts) const {
  for (int64_t i = 0; i < size; ++i) {
    const double value = values[i];
    if (!std::isfinite(value)) continue;
    const double place = (value - edges_[0]) / width_ * static_cast<double>(bins_);
    int64_t bin = std::clamp<int64_t>(static_cast<int64_t>(place), 0, bins_ - 1);
    // Rounding may have missed the bin by one.
    if (bin > 0 && value < edges_[bin]) {
      --bin;
    } else if (bin + 1 < bins_ && value >= edges_[bin + 1]) {
      ++bin;
    }
    ++counts[bin];
  }
}

void Histogram::Count(const at::Tensor& values, at::Tensor& counts) const {
  CountSpan(values.const_data_ptr<double>(), values.numel(), counts.mutable_data_ptr<int64_t>());
}

void Histogram::CountRows(const at::Tensor& values, at::Tensor& counts) const {
  const int64_t rows = values.size(0);
  if (rows == 0) return;
  const int64_t width = values.numel() / rows;
  for (int64_t row = 0; row < rows; ++row) {
    CountSpan(values.const_data_ptr<double>() + row * width, width, counts.mutable_data_ptr<int64_t>() + row * bins_);
  }
}

at::Tensor Histogram::Edges() const { return at::tensor(edges_, at::kDouble); }

}  // namespace superpose
