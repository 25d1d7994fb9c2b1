#include "lib/factorization/spectrum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/eigen_memory.h"
#include "lib/factorization/eigen_solver.h"
#include "lib/factorization/eigen_summary.h"

namespace superpose {
namespace {

int64_t ResultBytes(int64_t directions, const SpectrumQuery& query) {
  const int64_t k = WantedPairs(query.eigen, directions);
  return k * (4 * kDoubleBytes + (query.vectors ? 2 * directions * kFloatBytes : 0));
}

class SpectrumAnalysis final : public Analysis {
 public:
  SpectrumAnalysis(std::unique_ptr<EigenSolver> solver, int64_t directions, const SpectrumQuery& query)
      : solver_(std::move(solver)), directions_(directions), query_(query) {}

  int64_t units() const override { return solver_->units(); }
  void RunUnit(int64_t unit) override { solver_->RunUnit(unit); }
  bool IsLong(int64_t unit) const override { return solver_->IsLong(unit); }

  AnalysisOutput Take() override {
    Eigenpairs pairs = solver_->Take();
    const at::Tensor signs = SignsOfEigenvalues(pairs);
    AnalysisOutput output;
    output.figures = SummaryOf(pairs, directions_, query_.eigen.theta);
    output.undefined = signs.eq(0).sum().item<int64_t>();
    output.tensors = {{"eigenvalue", pairs.values}, {"singular_value", pairs.values.abs()}, {"sign", signs}};
    if (pairs.residuals.defined()) output.tensors.emplace_back("residual", pairs.residuals);
    if (!query_.vectors) return output;
    const at::Tensor U = std::exchange(pairs.vectors, {}).to(at::kCPU, at::kFloat).t().contiguous();
    output.tensors.emplace_back("U", U);
    output.tensors.emplace_back("V", U * at::where(signs.lt(0), -1.0, 1.0).to(at::kFloat));
    return output;
  }

  int64_t result_bytes() const override { return ResultBytes(directions_, query_); }

 private:
  std::unique_ptr<EigenSolver> solver_;
  int64_t directions_;
  SpectrumQuery query_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeSpectrum(const at::Tensor& directions, const SpectrumQuery& query) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto gram, MakeGram(directions, query.eigen));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    auto solver = MakeEigenSolver(std::move(gram), query.eigen, query.vectors);
    return std::make_unique<SpectrumAnalysis>(std::move(solver), directions.size(0), query);
  });
}

MemoryEstimate EstimateSpectrum(int64_t directions, int64_t d, at::ScalarType type, const SpectrumQuery& query) {
  const EigenMemory memory = EstimateEigenpairs(directions, d, type, query.eigen, query.vectors);
  const int64_t held = ResultBytes(directions, query);
  // In the end the vectors are there in float64 and, twice, in float32.
  const int64_t last = memory.units_bytes + memory.pairs_bytes + held;
  return {.peak_bytes = std::max(memory.peak_bytes, last), .held_bytes = held};
}

}  // namespace superpose
