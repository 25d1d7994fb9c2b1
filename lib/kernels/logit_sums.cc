#include "lib/kernels/logit_sums.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <limits>

#include "lib/kernels/logit_loops.h"

namespace superpose {
namespace {

void CheckLogits(const at::Tensor& logits, int64_t rows) {
  TORCH_CHECK(
      logits.dim() == 2 && logits.size(0) == rows && logits.is_contiguous() && logits.scalar_type() == at::kFloat,
      "logits must be a contiguous float32 matrix of ", rows, " rows");
}

// The running maximum and sum with one more tile; `factors` is what e^logit is multiplied with, or undefined.
void AddOnDevice(const at::Tensor& logits, const at::Tensor& factors, at::Tensor& largest, at::Tensor& sums) {
  const at::Tensor now = at::maximum(largest, logits.amax(1));
  const at::Tensor center = at::where(now.isneginf(), at::zeros_like(now), now);
  at::Tensor terms = (logits - center.unsqueeze(1)).exp_();
  if (factors.defined()) terms.mul_(factors);
  const at::Tensor kept = (largest.to(at::kDouble) - center).exp_();
  sums.mul_(kept).add_(terms.sum(at::IntArrayRef{1}, /*keepdim=*/false, at::kDouble));
  largest = now;
}

}  // namespace

LogitSums::LogitSums(const at::Tensor& targets)
    : targets_(targets),
      target_logits_(at::zeros(targets.sizes(), targets.options().dtype(at::kDouble))),
      largest_(at::full(targets.sizes(), -std::numeric_limits<float>::infinity(), targets.options().dtype(at::kFloat))),
      sums_(at::zeros_like(target_logits_)) {
  TORCH_CHECK(targets.dim() == 1 && targets.scalar_type() == at::kLong, "targets must be int64 [rows]");
}

void LogitSums::Add(const at::Tensor& logits, int64_t first) {
  const int64_t rows = targets_.size(0), n = logits.size(-1);
  CheckLogits(logits, rows);
  if (logits.numel() == 0) return;
  const at::Tensor columns = targets_ - first;
  const at::Tensor here = columns.ge(0).logical_and_(columns.lt(n));
  const at::Tensor found = logits.gather(1, columns.clamp(0, n - 1).unsqueeze(1)).squeeze(1);
  target_logits_ = at::where(here, found.to(at::kDouble), target_logits_);
  if (!logits.is_cpu()) return AddOnDevice(logits, {}, largest_, sums_);
  const float* values = logits.const_data_ptr<float>();
  float* largest = largest_.mutable_data_ptr<float>();
  double* sums = sums_.mutable_data_ptr<double>();
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) AddExponentials(values + r * n, n, largest + r, sums + r);
  });
}

at::Tensor LogitSums::LogSum() const { return sums_.log() + largest_; }

DivergenceSums::DivergenceSums(int64_t rows, at::Device device)
    : largest_(at::full({rows}, -std::numeric_limits<float>::infinity(), at::TensorOptions(device).dtype(at::kFloat))),
      sums_(at::zeros({rows}, largest_.options().dtype(at::kDouble))) {}

void DivergenceSums::Add(const at::Tensor& reference, const at::Tensor& other) {
  const int64_t rows = sums_.size(0), n = reference.size(-1);
  CheckLogits(reference, rows);
  CheckLogits(other, rows);
  TORCH_CHECK(other.size(1) == n, "the same columns of both are wanted");
  if (reference.numel() == 0) return;
  if (!reference.is_cpu()) return AddOnDevice(reference, reference - other, largest_, sums_);
  const float* left = reference.const_data_ptr<float>();
  const float* right = other.const_data_ptr<float>();
  float* largest = largest_.mutable_data_ptr<float>();
  double* sums = sums_.mutable_data_ptr<double>();
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      AddWeightedDifferences(left + r * n, right + r * n, n, largest + r, sums + r);
    }
  });
}

at::Tensor DivergenceSums::Divergences(const at::Tensor& reference_log_sum, const at::Tensor& other_log_sum) const {
  return sums_ * (largest_.to(at::kDouble) - reference_log_sum).exp_() - reference_log_sum + other_log_sum;
}

}  // namespace superpose
