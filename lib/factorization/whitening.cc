#include "lib/factorization/whitening.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/eigen_memory.h"
#include "lib/factorization/eigen_solver.h"
#include "lib/factorization/eigen_summary.h"
#include "lib/kernels/dense_ops.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {
namespace {

// Multiplications of a unit, some 50 ms in float64.
constexpr int64_t kUnitProducts = int64_t{1} << 31;
// Entries of vectors which to choose from and to scale takes longer than that.
constexpr int64_t kManyEntries = 4 * kUnitEntries;

int64_t ResultBytes(int64_t directions, int64_t d, const WhiteningQuery& query) {
  return WantedPairs(query.eigen, directions) * (d * kFloatBytes + kDoubleBytes);
}

RowBlocks BlocksOf(int64_t directions, int64_t d, const WhiteningQuery& query) {
  return {directions, d * WantedPairs(query.eigen, directions), kUnitProducts};
}

class WhiteningAnalysis final : public Analysis {
 public:
  WhiteningAnalysis(std::unique_ptr<EigenSolver> solver, std::shared_ptr<const ThresholdedGram> gram,
                    const WhiteningQuery& query)
      : solver_(std::move(solver)),
        gram_(std::move(gram)),
        query_(query),
        blocks_(BlocksOf(gram_->size(), gram_->units().size(1), query)) {}

  int64_t units() const override { return solver_->units() + blocks_.count(); }

  void RunUnit(int64_t unit) override {
    if (unit < solver_->units()) return solver_->RunUnit(unit);
    const int64_t block = unit - solver_->units();
    if (block == 0) Choose();
    const int64_t start = blocks_.start(block), length = blocks_.length(block);
    const at::Tensor rows = gram_->units().narrow(0, start, length).to(at::kDouble);
    AddProduct(weights_.narrow(1, start, length), rows, features_);
  }

  // The unit after the last of the eigenproblem's takes its vectors, all of them.
  bool IsLong(int64_t unit) const override {
    const int64_t of_solver = solver_->units();
    if (unit < of_solver) return solver_->IsLong(unit);
    return unit == of_solver && WantedPairs(query_.eigen, gram_->size()) * gram_->size() > kManyEntries;
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.figures = std::move(figures_);
    output.undefined = static_cast<int64_t>(output.figures["zero_count"]);
    output.tensors = {{"features", features_.to(at::kCPU, at::kFloat)}, {"eigenvalue", values_}};
    return output;
  }

  int64_t result_bytes() const override { return ResultBytes(gram_->size(), gram_->units().size(1), query_); }

 private:
  // Rows q / sqrt|l| of the eigenvalues that are kept.
  void Choose() {
    Eigenpairs pairs = solver_->Take();
    figures_ = SummaryOf(pairs, gram_->size(), query_.eigen.theta);
    const bool notebook = query_.form == WhiteningForm::kNotebook;
    const at::Tensor sizes = notebook ? pairs.values.abs() : pairs.values;
    const at::Tensor above = notebook ? sizes.ge(query_.cutoff) : sizes.gt(query_.cutoff);
    const at::Tensor kept = above.logical_and(sizes.gt(pairs.rounding)).nonzero().squeeze(1);
    values_ = pairs.values.index_select(0, kept);
    const at::Device device = gram_->device();
    weights_ = std::exchange(pairs.vectors, {}).index_select(0, kept.to(device));
    weights_.mul_(values_.abs().rsqrt().unsqueeze(1).to(device));
    features_ = at::zeros({kept.numel(), gram_->units().size(1)}, weights_.options());
    figures_["kept"] = static_cast<double>(kept.numel());
    figures_["cut"] = static_cast<double>(pairs.values.numel() - kept.numel());
    figures_["cutoff"] = std::max(query_.cutoff, pairs.rounding);
  }

  std::unique_ptr<EigenSolver> solver_;
  std::shared_ptr<const ThresholdedGram> gram_;
  WhiteningQuery query_;
  RowBlocks blocks_;
  std::map<std::string, double> figures_;
  at::Tensor values_;
  at::Tensor weights_;   // float64 [r, n]
  at::Tensor features_;  // float64 [r, d]
};

EigenQuery EigenQueryOf(const WhiteningQuery& query) {
  EigenQuery eigen = query.eigen;
  eigen.by_magnitude = query.form == WhiteningForm::kNotebook;
  return eigen;
}

}  // namespace

absl::Status CheckWhiteningQuery(const WhiteningQuery& query, int64_t directions) {
  SUPERPOSE_RETURN_IF_ERROR(CheckEigenQuery(EigenQueryOf(query), directions));
  if (query.cutoff >= 0 && std::isfinite(query.cutoff)) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "cutoff is ", query.cutoff, ", but must be a number that is not ",
                         "negative");
}

int64_t WhiteningUnits(int64_t directions, int64_t d, const WhiteningQuery& query) {
  return EigenUnits(directions, d, EigenQueryOf(query)) + BlocksOf(directions, d, query).count();
}

absl::StatusOr<std::unique_ptr<Analysis>> MakeWhitening(const at::Tensor& directions, const WhiteningQuery& query) {
  SUPERPOSE_RETURN_IF_ERROR(
      CheckWhiteningQuery(query, directions.defined() && directions.dim() == 2 ? directions.size(0) : 0));
  const EigenQuery eigen = EigenQueryOf(query);
  SUPERPOSE_ASSIGN_OR_RETURN(auto gram, MakeGram(directions, eigen));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    auto solver = MakeEigenSolver(gram, eigen, /*with_vectors=*/true);
    return std::make_unique<WhiteningAnalysis>(std::move(solver), std::move(gram), query);
  });
}

MemoryEstimate EstimateWhitening(int64_t directions, int64_t d, at::ScalarType type, const WhiteningQuery& query) {
  const EigenQuery eigen = EigenQueryOf(query);
  const EigenMemory memory = EstimateEigenpairs(directions, d, type, eigen, /*with_vectors=*/true);
  // In the end what is kept of the vectors beside all of them, or the features beside what is kept.
  const int64_t features = WantedPairs(eigen, directions) * d * (kDoubleBytes + kFloatBytes);
  const int64_t last = memory.units_bytes + memory.pairs_bytes + std::max(memory.pairs_bytes, features);
  return {.peak_bytes = std::max(memory.peak_bytes, last), .held_bytes = ResultBytes(directions, d, query)};
}

}  // namespace superpose
