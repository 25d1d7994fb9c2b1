#include "lib/kernels/sparse_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "lib/kernels/parallel_by_entries.h"
#include "lib/kernels/row_sums.h"
#include "lib/kernels/vector_loops.h"

namespace superpose {
namespace {

constexpr int64_t kElementsPerChunk = 1 << 14;

void CheckFloatRows(const at::Tensor& tensor, const char* name) {
  TORCH_CHECK(tensor.dim() == 2 && tensor.is_contiguous() && tensor.scalar_type() == at::kFloat, name,
              " must be a contiguous float32 matrix");
}

void CheckBias(const at::Tensor& bias, const at::Tensor& weight) {
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(1) && bias.scalar_type() == at::kFloat &&
                  bias.device() == weight.device(),
              "bias must be float32 [", weight.size(1), "] on the weight's device");
}

AdamWFactors FactorsOf(const AdamWSettings& settings) {
  const double bias_correction1 = 1 - std::pow(settings.beta1, settings.step);
  const double bias_correction2 = 1 - std::pow(settings.beta2, settings.step);
  return {.decay = static_cast<float>(1 - settings.lr * settings.weight_decay),
          .one_minus_beta1 = static_cast<float>(1 - settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          .one_minus_beta2 = static_cast<float>(1 - settings.beta2),
          .step_size = static_cast<float>(settings.lr / bias_correction1),
          .bias_correction2 = static_cast<float>(std::sqrt(bias_correction2)),
          .eps = static_cast<float>(settings.eps)};
}

// Columns panel by panel: what the sums of many rows need of one stays in cache.
template <typename Body>
void ForEachPanel(int64_t columns, const Body& body) {
  for (int64_t c = 0; c < columns; c += kPanel) body(c, std::min(kPanel, columns - c));
}

// The entries of row r, those of the rows up to `end` behind them.
WeightedRows EntriesOf(const int64_t* splits, int64_t r, int64_t end, const int32_t* ids, const float* values,
                       const float* first_row, int64_t stride) {
  return {.first_row = first_row,
          .stride = stride,
          .ids = ids + splits[r],
          .weights = values + splits[r],
          .count = splits[r + 1] - splits[r],
          .ahead = splits[end] - splits[r + 1]};
}

// What AdamW updates, in parts of rows.
struct AdamWRows {
  float* parameter;
  float* exp_avg;
  float* exp_avg_sq;
  AdamWFactors factors;

  void Fetch(int64_t at, int64_t n) const {
    constexpr int64_t kFloatsOfALine = 16;
    for (const float* part : {parameter + at, exp_avg + at, exp_avg_sq + at}) {
      for (int64_t k = 0; k < n; k += kFloatsOfALine) __builtin_prefetch(part + k, /*rw=*/1, /*locality=*/2);
    }
  }
  // The gradient of elements at .. at + n, n <= kPanel, is the sum of `entries`.
  void Update(int64_t at, int64_t n, const WeightedRows& entries) const {
    if (entries.count == 0 && AllZero(parameter + at, n) && AllZero(exp_avg + at, n) && AllZero(exp_avg_sq + at, n)) {
      return;
    }
    float gradient[kPanel];
    SumRows(entries, n, /*start=*/nullptr, gradient);
    AdamWVector(parameter + at, exp_avg + at, exp_avg_sq + at, gradient, n, factors);
  }
};

// Sums of rows by LibTorch's embedding_bag: out[i] = sum over entries splits[i] .. splits[i + 1] of values *
// table[ids].
at::Tensor SumRowsByBag(const at::Tensor& table, const at::Tensor& splits, const at::Tensor& ids,
                        const at::Tensor& values) {
  if (ids.numel() == 0) return at::zeros({splits.numel() - 1, table.size(1)}, table.options());
  return std::get<0>(at::embedding_bag(table, ids.to(at::kLong), splits, /*scale_grad_by_freq=*/false, /*mode=*/0,
                                       /*sparse=*/false, values, /*include_last_offset=*/true));
}

void FusedAdamW(const at::Tensor& parameter, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                const at::Tensor& gradient, const AdamWSettings& settings) {
  const at::Tensor step = at::full({}, static_cast<double>(settings.step), parameter.options());
  at::_fused_adamw_({parameter}, {gradient}, {exp_avg}, {exp_avg_sq}, {}, {step}, settings.lr, settings.beta1,
                    settings.beta2, settings.weight_decay, settings.eps, /*amsgrad=*/false, /*maximize=*/false);
}

TransposedActivations TransposeOnCpu(const SparseActivations& z) {
  const auto options = z.row_splits.options();
  TransposedActivations result{at::zeros({z.d_sae + 1}, options), at::empty({z.entries()}, z.feature_ids.options()),
                               at::empty({z.entries()}, z.values.options())};
  const int64_t* row_splits = z.row_splits.const_data_ptr<int64_t>();
  const int32_t* ids = z.feature_ids.const_data_ptr<int32_t>();
  const float* values = z.values.const_data_ptr<float>();
  int64_t* splits = result.feature_splits.mutable_data_ptr<int64_t>();
  int32_t* rows = result.rows.mutable_data_ptr<int32_t>();
  float* transposed = result.values.mutable_data_ptr<float>();
  for (int64_t e = 0; e < z.entries(); ++e) ++splits[ids[e] + 1];
  for (int64_t j = 0; j < z.d_sae; ++j) splits[j + 1] += splits[j];
  std::vector<int64_t> next(splits, splits + z.d_sae);
  for (int64_t r = 0; r < z.rows(); ++r) {
    for (int64_t e = row_splits[r]; e < row_splits[r + 1]; ++e) {
      const int64_t place = next[ids[e]]++;
      rows[place] = static_cast<int32_t>(r);
      transposed[place] = values[e];
    }
  }
  return result;
}

void SparseGradientAdamWOnDevice(const TransposedActivations& z, const at::Tensor& grad_rows, int64_t begin,
                                 int64_t end, const at::Tensor& parameter, const at::Tensor& exp_avg,
                                 const at::Tensor& exp_avg_sq, const AdamWSettings& settings) {
  const at::Tensor splits = z.feature_splits.slice(0, begin, end + 1);
  int64_t first = 0, last = z.rows.numel();
  if (begin > 0 || end < z.feature_splits.numel() - 1) {  // only for a part does the host have to ask
    const at::Tensor ends = at::stack({splits[0], splits[end - begin]}).cpu();
    first = ends[0].item<int64_t>();
    last = ends[1].item<int64_t>();
  }
  const at::Tensor gradient =
      SumRowsByBag(grad_rows, splits - first, z.rows.slice(0, first, last), z.values.slice(0, first, last));
  FusedAdamW(parameter.slice(0, begin, end), exp_avg.slice(0, begin, end), exp_avg_sq.slice(0, begin, end), gradient,
             settings);
}

}  // namespace

at::Tensor SparseTimesDense(const SparseActivations& z, const at::Tensor& weight, const at::Tensor& bias) {
  CheckFloatRows(weight, "weight");
  TORCH_CHECK(weight.size(0) == z.d_sae, "weight has ", weight.size(0), " rows, the activations ", z.d_sae,
              " features");
  TORCH_CHECK(z.values.device() == weight.device(), "the activations and the weight must be on one device");
  const int64_t n = weight.size(1);
  if (bias.defined()) CheckBias(bias, weight);
  if (!weight.is_cpu()) {
    at::Tensor product = SumRowsByBag(weight, z.row_splits, z.feature_ids, z.values);
    return bias.defined() ? product.add_(bias) : product;
  }
  at::Tensor out = at::empty({z.rows(), n}, weight.options());
  const int64_t* splits = z.row_splits.const_data_ptr<int64_t>();
  const int32_t* ids = z.feature_ids.const_data_ptr<int32_t>();
  const float* values = z.values.const_data_ptr<float>();
  const float* rows = weight.const_data_ptr<float>();
  const at::Tensor start = bias.defined() ? bias.contiguous() : at::zeros({n}, weight.options());
  const float* before = start.const_data_ptr<float>();
  float* result = out.mutable_data_ptr<float>();
  ParallelByEntries(splits, 0, z.rows(), [&](int64_t first, int64_t last) {
    ForEachPanel(n, [&](int64_t c, int64_t width) {
      for (int64_t r = first; r < last; ++r) {
        SumRows(EntriesOf(splits, r, last, ids, values, rows + c, n), width, before + c, result + r * n + c);
      }
    });
  });
  return out;
}

TransposedActivations Transpose(const SparseActivations& z) {
  if (z.row_splits.is_cpu()) return TransposeOnCpu(z);
  // The number of entries is given, or the host would wait for the sum of the counts.
  const at::Tensor rows_of_entries = at::repeat_interleave(z.row_splits.diff(), std::optional<int64_t>(z.entries()));
  const auto [sorted_ids, order] = at::sort(z.feature_ids, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const at::Tensor features = at::arange(z.d_sae + 1, z.feature_ids.options());
  return {at::searchsorted(sorted_ids, features), rows_of_entries.index_select(0, order).to(at::kInt),
          z.values.index_select(0, order)};
}

void AdamWUpdate(const at::Tensor& parameter, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                 const at::Tensor& gradient, const AdamWSettings& settings) {
  if (!parameter.is_cpu()) return FusedAdamW(parameter, exp_avg, exp_avg_sq, gradient, settings);
  for (const at::Tensor* tensor : {&parameter, &exp_avg, &exp_avg_sq, &gradient}) {
    TORCH_CHECK(tensor->is_contiguous() && tensor->scalar_type() == at::kFloat && tensor->numel() == parameter.numel(),
                "AdamW takes contiguous float32 tensors of one size");
  }
  const AdamWFactors factors = FactorsOf(settings);
  float* p = parameter.mutable_data_ptr<float>();
  float* m = exp_avg.mutable_data_ptr<float>();
  float* v = exp_avg_sq.mutable_data_ptr<float>();
  const float* g = gradient.const_data_ptr<float>();
  const int64_t chunks = (parameter.numel() + kElementsPerChunk - 1) / kElementsPerChunk;
  at::parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kElementsPerChunk;
    const int64_t end = std::min(last * kElementsPerChunk, parameter.numel());
    AdamWVector(p + begin, m + begin, v + begin, g + begin, end - begin, factors);
  });
}

void SparseGradientAdamW(const TransposedActivations& z, const at::Tensor& grad_rows, int64_t begin, int64_t end,
                         const at::Tensor& parameter, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                         const AdamWSettings& settings) {
  CheckFloatRows(grad_rows, "grad_rows");
  CheckFloatRows(parameter, "parameter");
  CheckFloatRows(exp_avg, "exp_avg");
  CheckFloatRows(exp_avg_sq, "exp_avg_sq");
  if (!parameter.is_cpu()) {
    return SparseGradientAdamWOnDevice(z, grad_rows, begin, end, parameter, exp_avg, exp_avg_sq, settings);
  }
  const int64_t n = parameter.size(1);
  const int64_t* splits = z.feature_splits.const_data_ptr<int64_t>();
  const int32_t* rows = z.rows.const_data_ptr<int32_t>();
  const float* values = z.values.const_data_ptr<float>();
  const float* gradients = grad_rows.const_data_ptr<float>();
  const AdamWRows state{parameter.mutable_data_ptr<float>(), exp_avg.mutable_data_ptr<float>(),
                        exp_avg_sq.mutable_data_ptr<float>(), FactorsOf(settings)};
  ParallelByEntries(splits, begin, end, [&](int64_t first, int64_t last) {
    ForEachPanel(n, [&](int64_t c, int64_t width) {
      for (int64_t j = first; j < last; ++j) {
        // The next row comes from memory while this one's sum is worked out.
        if (j + 1 < last) state.Fetch((j + 1) * n + c, width);
        state.Update(j * n + c, width, EntriesOf(splits, j, last, rows, values, gradients + c, n));
      }
    });
  });
}

}  // namespace superpose
