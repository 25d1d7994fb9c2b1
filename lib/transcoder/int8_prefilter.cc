#include "lib/transcoder/int8_prefilter.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "lib/kernels/int8_marks.h"
#include "lib/kernels/vector_loops.h"
#include "lib/transcoder/int8_bound.h"

namespace superpose {
namespace {

struct Entry {
  int32_t row;
  int32_t feature;
  float value;
};
// Of one thread's features: by panel, then row, then feature.
using Entries = std::vector<Entry>;

struct Sums {
  int64_t d_model;
  const float* x;
  const float* encoder;
  const float* bias;
  const float* thresholds;

  // Of the features that are marked, bit 0 for feature `first`, those that are active.
  void AddActive(int64_t row, int64_t first, uint32_t marks, Entries& found) const {
    for (; marks != 0; marks &= marks - 1) {
      const int64_t j = first + __builtin_ctz(marks);
      const float value = DotProduct(x + row * d_model, encoder + j * d_model, d_model) + bias[j];
      if (value > thresholds[j]) found.push_back({static_cast<int32_t>(row), static_cast<int32_t>(j), value});
    }
  }
};

// body(part, its panels' begin and end), a part a thread.
template <typename Body>
void InParts(int64_t panels, int64_t parts, const Body& body) {
  at::parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) body(part, panels * part / parts, panels * (part + 1) / parts);
  });
}

// The parts' features ascend, and so do a row's within a part.
SparseActivations SortByRow(const std::vector<Entries>& parts, int64_t rows, int64_t d_sae) {
  SparseActivations z{at::zeros({rows + 1}, at::kLong), {}, {}, d_sae};
  auto* splits = z.row_splits.mutable_data_ptr<int64_t>();
  for (const Entries& entries : parts) {
    for (const Entry& entry : entries) ++splits[entry.row + 1];
  }
  std::partial_sum(splits, splits + rows + 1, splits);
  z.feature_ids = at::empty({splits[rows]}, at::kInt);
  z.values = at::empty({splits[rows]}, at::kFloat);
  auto* ids = z.feature_ids.mutable_data_ptr<int32_t>();
  auto* values = z.values.mutable_data_ptr<float>();
  std::vector<int64_t> next(splits, splits + rows);
  for (const Entries& entries : parts) {
    for (const Entry& entry : entries) {
      const int64_t place = next[entry.row]++;
      ids[place] = entry.feature;
      values[place] = entry.value;
    }
  }
  return z;
}

}  // namespace

bool Int8Prefilter::Supports(int64_t d_model) { return HasInt8Products() && Int8DepthOf(d_model) <= kMostInt8Depth; }

Int8Prefilter::Int8Prefilter(const at::Tensor& encoder, const at::Tensor& bias, const at::Tensor& thresholds,
                             double largest_part)
    : encoder_(encoder),
      bias_(bias),
      thresholds_(thresholds),
      features_(QuantizeFeatures(encoder, bias, thresholds)),
      largest_part_(largest_part) {}

std::optional<SparseActivations> Int8Prefilter::Encode(const at::Tensor& x) const {
  const Marks marks = Mark(QuantizeRows(x, features_.longest), x.size(0));
  const auto pairs = static_cast<double>(x.size(0) * encoder_.size(0));
  if (static_cast<double>(marks.count) > largest_part_ * pairs) return std::nullopt;
  return Evaluate(x, marks.bits);
}

Int8Prefilter::Marks Int8Prefilter::Mark(const Int8Rows& rows, int64_t count) const {
  const int64_t panels = features_.panels(), d_sae = encoder_.size(0);
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), panels);
  const at::Tensor bits = at::empty({panels, rows.padded}, at::kInt);
  auto* const all = reinterpret_cast<uint32_t*>(bits.mutable_data_ptr<int32_t>());
  std::vector<int64_t> counts(parts);
  InParts(panels, parts, [&](int64_t part, int64_t begin, int64_t end) {
    int64_t marked = 0;
    for (int64_t p = begin; p < end; ++p) {
      const Int8Panel panel = features_.Panel(p);
      uint32_t* const marks = all + p * rows.padded;
      for (int64_t r = 0; r < rows.padded; r += kInt8GroupRows)
        MarkInt8(rows.GroupAt(r), panel, features_.depth(), marks + r);
      const int64_t past_the_end = std::max<int64_t>((p + 1) * kInt8PanelColumns - d_sae, 0);
      const uint32_t real = ~uint32_t{0} >> past_the_end;
      for (int64_t r = 0; r < count; ++r) marked += __builtin_popcount(marks[r] &= real);
    }
    counts[part] = marked;
  });
  return {bits, std::accumulate(counts.begin(), counts.end(), int64_t{0})};
}

SparseActivations Int8Prefilter::Evaluate(const at::Tensor& x, const at::Tensor& marks) const {
  const int64_t rows = x.size(0), panels = features_.panels();
  const int64_t parts = std::min<int64_t>(at::get_num_threads(), panels);
  const Sums sums{x.size(1), x.const_data_ptr<float>(), encoder_.const_data_ptr<float>(), bias_.const_data_ptr<float>(),
                  thresholds_.const_data_ptr<float>()};
  const auto* all = reinterpret_cast<const uint32_t*>(marks.const_data_ptr<int32_t>());
  std::vector<Entries> found(parts);
  InParts(panels, parts, [&](int64_t part, int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t r = 0; r < rows; ++r)
        sums.AddActive(r, p * kInt8PanelColumns, all[p * marks.size(1) + r], found[part]);
    }
  });
  return SortByRow(found, rows, encoder_.size(0));
}

}  // namespace superpose
