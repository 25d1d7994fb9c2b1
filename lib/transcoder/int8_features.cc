#include "lib/transcoder/int8_features.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "lib/kernels/int8_vector.h"
#include "lib/transcoder/int8_bound.h"

namespace superpose {
namespace {

constexpr int kOffset = 128;  // of the values
constexpr int64_t kMeasures = 4;

int64_t PanelsFor(int64_t d_sae) { return (d_sae + kInt8PanelColumns - 1) / kInt8PanelColumns; }

void QuantizeColumns(const at::Tensor& encoder, int64_t first, int64_t last, const Int8Features& features) {
  const int64_t d_model = encoder.size(1), depth = features.depth(), columns = features.measures.size(1);
  const float factor = 1.0F / static_cast<float>(Int8BlockOf(depth));
  const float* data = encoder.const_data_ptr<float>();
  auto* packed = features.values.mutable_data_ptr<uint8_t>();
  float* const scales = features.measures.mutable_data_ptr<float>();
  float *const lengths = scales + columns, *const errors = lengths + columns;
  std::vector<float> rotated(depth);
  std::vector<int8_t> q(depth);
  for (int64_t j = first; j < last; ++j) {
    std::fill(rotated.begin(), rotated.end(), 0.0F);
    std::copy_n(data + j * d_model, d_model, rotated.begin());
    RotateBlocks(rotated.data(), depth, Int8BlockOf(depth));
    for (float& value : rotated) value *= factor;
    const Int8Vector vector = QuantizeInt8(rotated.data(), depth, q.data());
    scales[j] = vector.scale;
    lengths[j] = (vector.length + kInt8Tiny) * kInt8RoundedUp;
    errors[j] = Int8ErrorOf(vector.error, vector.length, depth);
    uint8_t* panel = packed + j / kInt8PanelColumns * kInt8PanelColumns * depth + j % kInt8PanelColumns * kInt8Depth;
    for (int64_t k = 0; k < depth; ++k) {
      panel[k / kInt8Depth * kInt8PanelColumns * kInt8Depth + k % kInt8Depth] = static_cast<uint8_t>(q[k] + kOffset);
    }
  }
}

}  // namespace

Int8Panel Int8Features::Panel(int64_t panel) const {
  const int64_t columns = measures.size(1);
  const float* scales = measures.const_data_ptr<float>() + panel * kInt8PanelColumns;
  return {.values = values.const_data_ptr<uint8_t>() + panel * kInt8PanelColumns * depth(),
          .scales = scales,
          .lengths = scales + columns,
          .errors = scales + 2 * columns,
          .limits = scales + 3 * columns};
}

Int8Features QuantizeFeatures(const at::Tensor& encoder, const at::Tensor& bias, const at::Tensor& thresholds) {
  const int64_t d_sae = encoder.size(0), panels = PanelsFor(d_sae);
  Int8Features features;
  features.values =
      at::zeros({panels, Int8DepthOf(encoder.size(1)) / kInt8Depth, kInt8PanelColumns, kInt8Depth}, at::kByte);
  features.measures = at::zeros({kMeasures, panels * kInt8PanelColumns}, at::kFloat);
  at::parallel_for(0, d_sae, kInt8PanelColumns,
                   [&](int64_t first, int64_t last) { QuantizeColumns(encoder, first, last, features); });
  const float *const b = bias.const_data_ptr<float>(), *const t = thresholds.const_data_ptr<float>();
  float* const limits = features.measures[3].mutable_data_ptr<float>();
  for (int64_t j = 0; j < d_sae; ++j) limits[j] = Int8LimitOf(t[j], b[j]);
  features.longest = features.measures[1].max().item<float>();
  return features;
}

int64_t Int8FeatureBytes(int64_t d_model, int64_t d_sae) {
  const auto measures = kMeasures * static_cast<int64_t>(sizeof(float));
  return PanelsFor(d_sae) * kInt8PanelColumns * (Int8DepthOf(d_model) + measures);
}

}  // namespace superpose
