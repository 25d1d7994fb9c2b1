// Directions for tests of spectra, and the reference's.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/statistics/analysis/analysis.h"
#include "tests/status_matchers.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"

namespace superpose {

// An answer with its tensors by name, on the CPU.
struct DirectionAnswer {
  TensorMap tensors;
  std::map<std::string, double> figures;
  int64_t undefined = 0;
  int64_t units = 0;  // that were run

  const at::Tensor& operator[](const std::string& name) const { return tensors.at(name); }
  double figure(const std::string& name) const { return figures.at(name); }
  bool AllFinite() const {
    for (const auto& [name, tensor] : tensors) {
      if (!tensor.isfinite().all().item<bool>()) return false;
    }
    for (const auto& [name, value] : figures) {
      if (!std::isfinite(value)) return false;
    }
    return true;
  }
};

inline DirectionAnswer AnswerFrom(const AnalysisOutput& output) {
  DirectionAnswer answer{.tensors = {}, .figures = output.figures, .undefined = output.undefined};
  for (const auto& [name, tensor] : output.tensors) {
    EXPECT_TRUE(tensor.is_cpu()) << name;
    answer.tensors[name] = tensor;
  }
  return answer;
}

inline DirectionAnswer AnswerOf(absl::StatusOr<std::unique_ptr<Analysis>> analysis) {
  EXPECT_OK(analysis);
  if (!analysis.ok()) return {};
  const int64_t most_units = (*analysis)->units();
  auto output = RunAll(**analysis);
  EXPECT_OK(output);
  if (!output.ok()) return {};
  DirectionAnswer answer = AnswerFrom(*output);
  answer.units = (*analysis)->units();
  EXPECT_LE(answer.units, most_units);
  int64_t bytes = 0;
  for (const auto& [name, tensor] : answer.tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  EXPECT_LE(bytes, (*analysis)->result_bytes());
  return answer;
}

inline at::Tensor UnitRowsOf(const at::Tensor& rows) {
  const at::Tensor values = rows.to(at::kDouble);
  return values / values.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
}

// The notebook's formula, dense: float64.
inline at::Tensor DenseGram(const at::Tensor& rows, double theta) {
  const at::Tensor units = UnitRowsOf(rows);
  at::Tensor C = at::mm(units, units.t());
  return C.masked_fill(C.lt(theta), 0);
}

// Directions that crowd about a few centres, so that cosines of all sizes occur; the same every time. float64 [n, d].
inline at::Tensor CrowdedDirections(int64_t n, int64_t d, int64_t centers = 12) {
  const auto waves = [](int64_t rows, int64_t columns, double pace) {
    return (at::arange(rows * columns, at::kDouble) * pace).sin().mul(997).sin().reshape({rows, columns});
  };
  const at::Tensor center = waves(centers, d, 1.234567);
  const at::Tensor which = at::arange(n, at::kLong).square().remainder(centers);
  return center.index_select(0, which) + waves(n, d, 0.7654321) * 1.1;
}

// In a plane, each 45 degrees from the last. Of four, with theta 0.5, C is tridiagonal.
inline at::Tensor PlaneDirections(int64_t n) {
  const at::Tensor angles = at::arange(n, at::kDouble) * (M_PI / 4);
  return at::stack({angles.cos(), angles.sin(), at::zeros_like(angles)}, 1);
}

// The notebook's: 200 of the golden transcoder's decoders, the most frequent first, as they are.
inline at::Tensor NotebookDirections(at::ScalarType type, const TensorMap& notebook) {
  const at::Tensor ids = notebook.at("sort_ids").to(at::kLong).slice(0, 0, 200);
  return GoldenTensors("tiny_transcoder.safetensors").at("W_dec").index_select(0, ids).to(type);
}

}  // namespace superpose
