#include "lib/factorization/factor_codes.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/ranking.h"
#include "lib/statistics/analysis/snapshot_rows.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {
namespace {

absl::Status CheckNumber(absl::string_view name, int64_t value, int64_t first, int64_t end) {
  if (value >= first && value < end) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, name, " is ", value, ", but must be in ", first, " .. ", end - 1);
}

absl::Status CheckK(int64_t k) {
  if (k >= 1) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "k is ", k, ", but must be 1 or more");
}

absl::Status CheckDecoder(const at::Tensor& decoder, const at::Tensor& factors, const FactorCodes& code) {
  const bool fit = decoder.defined() && factors.defined() && decoder.dim() == 1 && factors.dim() == 2 &&
                   decoder.numel() == factors.size(1) && decoder.is_floating_point() && factors.is_floating_point();
  if (!fit) {
    return InvalidArgument(reason::kTensorShapeMismatch, "a decoder and factors must be floating-point numbers of the ",
                           "same width");
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckFactorCodes(code, factors.size(0)));
  if (code.ids.size(0) != 1) {
    return InvalidArgument(reason::kTensorShapeMismatch, "one row of codes is needed, not ", code.ids.size(0));
  }
  if (AllFinite(decoder) && AllFinite(factors)) return absl::OkStatus();
  return InvalidArgument(reason::kTensorNotFinite, "a decoder or factor holds NaN or infinity");
}

void PutFigure(const std::string& name, const at::Tensor& value, AnalysisOutput& output) {
  const auto number = value.item<double>();
  if (number == number) output.figures[name] = number;
}

AnalysisOutput Explain(const at::Tensor& decoder, const at::Tensor& factors, const FactorCodes& code) {
  const at::Tensor used = code.ids[0].ge(0).nonzero().squeeze(1);
  at::Tensor values = code.values[0].index_select(0, used).to(at::kDouble);
  const at::Tensor order = DescendingOrder(values.abs());
  values = values.index_select(0, order);
  const at::Tensor ids = code.ids[0].index_select(0, used).index_select(0, order).to(at::kLong);
  const at::Tensor rows = factors.index_select(0, ids.to(factors.device())).to(at::kCPU, at::kDouble);
  const at::Tensor target = decoder.to(at::kCPU, at::kDouble), sum = at::mv(rows.t(), values);
  const at::Tensor length = target.norm(), sum_length = sum.norm();
  const at::Tensor cosines = at::mv(rows, target) / rows.norm(2, at::IntArrayRef{1}) / length;
  AnalysisOutput output;
  output.undefined = CountNaN(cosines);
  output.tensors = {{"factor", ids}, {"code", values}, {"cosine", cosines.clamp(-1, 1)}};
  output.figures["l0"] = static_cast<double>(ids.numel());
  PutFigure("cosine", (target.dot(sum) / length / sum_length).clamp(-1, 1), output);
  if (length.item<double>() > 0) {
    PutFigure("norm_ratio", sum_length / length, output);
    PutFigure("error", (target - sum).square().sum() / length.square(), output);
  }
  return output;
}

// float64 [n]: what each row has of a factor; 0 for rows that do not use it.
at::Tensor CodesOn(const FactorCodes& codes, const at::Tensor& is_factor) {
  return codes.values.to(at::kDouble).masked_fill(is_factor.logical_not(), 0).sum(1);
}

at::Tensor LengthsOf(const FactorCodes& codes) {
  return codes.values.to(at::kDouble).masked_fill(codes.ids.lt(0), 0).norm(2, at::IntArrayRef{1});
}

AnalysisOutput Shared(const FactorCodes& codes, int64_t row, int64_t k) {
  const int64_t rows = codes.ids.size(0), width = codes.ids.size(1);
  at::Tensor shared = at::zeros({rows}, at::kLong), products = at::zeros({rows}, at::kDouble);
  for (int64_t c = 0; c < width; ++c) {
    const auto factor = codes.ids[row][c].item<int64_t>();
    if (factor < 0) continue;
    const at::Tensor is_factor = codes.ids.eq(factor);
    shared.add_(is_factor.any(1));
    products.add_(CodesOn(codes, is_factor), codes.values[row][c].item<double>());
  }
  const at::Tensor lengths = LengthsOf(codes);
  at::Tensor overlap = (products / lengths / lengths[row]).clamp_(-1, 1).nan_to_num_(0);
  at::Tensor sizes = overlap.abs().masked_fill_(shared.eq(0), std::nan(""));
  sizes[row] = std::nan("");
  AnalysisOutput output;
  output.figures["rows"] = static_cast<double>(rows - CountNaN(sizes));
  const at::Tensor best = LargestIndices(sizes, k);
  output.tensors = {
      {"row", best}, {"shared", shared.index_select(0, best)}, {"overlap", overlap.index_select(0, best)}};
  return output;
}

}  // namespace

absl::Status CheckFactorCodes(const FactorCodes& codes, int64_t factors) {
  const bool fit = codes.ids.defined() && codes.values.defined() && codes.ids.dim() == 2 &&
                   codes.ids.sizes() == codes.values.sizes() && codes.ids.scalar_type() == at::kInt &&
                   codes.values.scalar_type() == at::kFloat;
  if (!fit) {
    return InvalidArgument(reason::kTensorShapeMismatch, "codes must be ids, int32, and values, float32, of the same ",
                           "shape [rows, codes]");
  }
  return CatchTorch([&]() -> absl::Status {
    if (codes.ids.lt(-1).logical_or_(codes.ids.ge(factors)).any().item<bool>()) {
      return InvalidArgument(reason::kTensorShapeMismatch, "codes name a factor that is not in 0 .. ", factors - 1);
    }
    if (AllFinite(codes.values)) return absl::OkStatus();
    return InvalidArgument(reason::kTensorNotFinite, "a code is NaN or infinite");
  });
}

absl::StatusOr<AnalysisOutput> FactorsOfDecoder(const at::Tensor& decoder, const at::Tensor& factors,
                                                const FactorCodes& code) {
  return CatchTorch([&]() -> absl::StatusOr<AnalysisOutput> {
    SUPERPOSE_RETURN_IF_ERROR(CheckDecoder(decoder, factors, code));
    return Explain(decoder, factors, code);
  });
}

absl::StatusOr<AnalysisOutput> RowsOfFactor(const FactorCodes& codes, int64_t factors, int64_t factor, int64_t k) {
  return CatchTorch([&]() -> absl::StatusOr<AnalysisOutput> {
    SUPERPOSE_RETURN_IF_ERROR(CheckFactorCodes(codes, factors));
    SUPERPOSE_RETURN_IF_ERROR(CheckNumber("factor", factor, 0, factors));
    SUPERPOSE_RETURN_IF_ERROR(CheckK(k));
    const at::Tensor is_factor = codes.ids.eq(factor), users = is_factor.any(1);
    const at::Tensor values = CodesOn(codes, is_factor);
    const at::Tensor best = LargestIndices(values.abs().masked_fill_(users.logical_not(), std::nan("")), k);
    AnalysisOutput output;
    output.figures["rows"] = static_cast<double>(users.sum().item<int64_t>());
    output.tensors = {{"row", best}, {"code", values.index_select(0, best)}};
    return output;
  });
}

absl::StatusOr<AnalysisOutput> RowsThatShareFactors(const FactorCodes& codes, int64_t factors, int64_t row, int64_t k) {
  return CatchTorch([&]() -> absl::StatusOr<AnalysisOutput> {
    SUPERPOSE_RETURN_IF_ERROR(CheckFactorCodes(codes, factors));
    SUPERPOSE_RETURN_IF_ERROR(CheckNumber("row", row, 0, codes.ids.size(0)));
    SUPERPOSE_RETURN_IF_ERROR(CheckK(k));
    return Shared(codes, row, k);
  });
}

}  // namespace superpose
