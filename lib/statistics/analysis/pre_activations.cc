#include "lib/statistics/analysis/pre_activations.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

// Entries of a covariance whose row of W_in^T W_in costs as much as one of them.
constexpr int64_t kProductsPerEntry = 256;

struct Source {
  double tokens = 0;
  at::Tensor mean;         // float64 [d_mlp]
  at::Tensor product_sum;  // [d_mlp, d_mlp]
  at::Tensor W_in;         // [d_model, d_mlp], on the model's device
};

absl::StatusOr<Source> SourceOf(const AnalysisInputs& inputs) {
  Source source;
  source.tokens = static_cast<double>(inputs.snapshot->tokens());
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor sum, inputs.snapshot->Tensor("pre_relu_sum"));
  SUPERPOSE_ASSIGN_OR_RETURN(source.product_sum, inputs.snapshot->Tensor("pre_relu_cov_sum"));
  source.mean = sum.to(at::kDouble) / source.tokens;
  source.W_in = inputs.model->layer_tensor(inputs.layer, "W_in");
  if (source.mean.numel() == source.W_in.size(1)) return source;
  return FailedPrecondition(reason::kSnapshotMismatch, "the snapshot is of a layer with ", source.mean.numel(),
                            " hidden units, and the model's have ", source.W_in.size(1));
}

// The first blocks fill the answer's matrices, the others go through those of all units for the figure.
class PreActivations final : public Analysis {
 public:
  PreActivations(Source source, at::Tensor units, int64_t unit_entries)
      : source_(std::move(source)),
        units_(std::move(units)),
        all_(at::arange(d_mlp(), at::kLong)),
        chosen_blocks_(units_.numel(), EntriesOf(units_.numel()), unit_entries),
        all_blocks_(d_mlp(), EntriesOf(d_mlp()), unit_entries) {}

  int64_t units() const override { return chosen_blocks_.count() + all_blocks_.count(); }

  void RunUnit(int64_t unit) override {
    if (unit == 0) Allocate();
    const int64_t chosen = chosen_blocks_.count();
    if (unit < chosen) {
      Fill(unit);
    } else {
      Compare(unit - chosen);
    }
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    const at::Tensor variance = covariance_.diagonal().clone();
    const at::Tensor deviation = variance.masked_fill(variance.le(0), std::nan("")).sqrt();
    const at::Tensor correlation = covariance_ / deviation.unsqueeze(1) / deviation.unsqueeze(0);
    output.tensors.emplace_back("unit", units_);
    output.tensors.emplace_back("mean", source_.mean.index_select(0, units_));
    output.tensors.emplace_back("variance", variance);
    output.tensors.emplace_back("covariance", covariance_);
    output.tensors.emplace_back("correlation", correlation);
    output.tensors.emplace_back("weight_gram", gram_);
    for (const auto& named : output.tensors) output.undefined += CountNaN(named.second);
    const double similarity = products_ / std::sqrt(covariance_squares_ * gram_squares_);
    if (std::isfinite(similarity)) output.figures["gram_similarity"] = similarity;
    return output;
  }

  int64_t result_bytes() const override { return kDoubleBytes * units_.numel() * 3 * (1 + units_.numel()); }

 private:
  int64_t d_mlp() const { return source_.mean.numel(); }
  int64_t EntriesOf(int64_t columns) const {
    return columns * std::max<int64_t>(1, source_.W_in.size(0) / kProductsPerEntry);
  }

  void Allocate() {
    const int64_t k = units_.numel();
    weights_ = source_.W_in.to(at::kCPU, at::kDouble);
    covariance_ = at::empty({k, k}, at::kDouble);
    gram_ = at::empty({k, k}, at::kDouble);
  }

  // Of `rows` with `columns`, both int64 ids of units.
  at::Tensor Covariance(const at::Tensor& rows, const at::Tensor& columns) const {
    const at::Tensor mean = source_.mean.index_select(0, rows).unsqueeze(1);
    const at::Tensor sums = source_.product_sum.index_select(0, rows).index_select(1, columns).to(at::kDouble);
    return sums.div_(source_.tokens).sub_(mean * source_.mean.index_select(0, columns).unsqueeze(0));
  }
  at::Tensor Gram(const at::Tensor& rows, const at::Tensor& columns) const {
    return at::matmul(weights_.index_select(1, rows).t(), weights_.index_select(1, columns));
  }

  void Fill(int64_t block) {
    const int64_t start = chosen_blocks_.start(block);
    const int64_t length = chosen_blocks_.length(block);
    const at::Tensor rows = units_.narrow(0, start, length);
    covariance_.narrow(0, start, length).copy_(Covariance(rows, units_));
    gram_.narrow(0, start, length).copy_(Gram(rows, units_));
  }

  void Compare(int64_t block) {
    const at::Tensor rows = all_.narrow(0, all_blocks_.start(block), all_blocks_.length(block));
    const at::Tensor diagonal = rows.unsqueeze(1);
    const at::Tensor covariance = Covariance(rows, all_).scatter_(1, diagonal, 0.0);
    const at::Tensor gram = at::matmul(weights_.index_select(1, rows).t(), weights_).scatter_(1, diagonal, 0.0);
    products_ += covariance.mul(gram).sum().item<double>();
    covariance_squares_ += covariance.square().sum().item<double>();
    gram_squares_ += gram.square().sum().item<double>();
  }

  Source source_;
  at::Tensor units_;
  at::Tensor all_;
  RowBlocks chosen_blocks_;
  RowBlocks all_blocks_;
  at::Tensor weights_;  // float64 [d_model, d_mlp]
  at::Tensor covariance_;
  at::Tensor gram_;
  double products_ = 0;
  double covariance_squares_ = 0;
  double gram_squares_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakePreActivations(const AnalysisInputs& inputs,
                                                             const PreActivationsQuery& query, int64_t unit_entries) {
  SUPERPOSE_RETURN_IF_ERROR(inputs.model->CheckLayer(inputs.layer));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(Source source, SourceOf(inputs));
    const int64_t d_mlp = source.mean.numel();
    const UnitSlice first = UnitRange{0, std::min(d_mlp, kDefaultPreActivationUnits)};
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor units, SelectUnits(query.units.value_or(first), d_mlp));
    return std::make_unique<PreActivations>(std::move(source), std::move(units), unit_entries);
  });
}

}  // namespace superpose
