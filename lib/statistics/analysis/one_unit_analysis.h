// An analysis that is one unit of work.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "lib/statistics/analysis/analysis.h"

namespace superpose {

class OneUnitAnalysis final : public Analysis {
 public:
  using Work = std::function<AnalysisOutput()>;
  OneUnitAnalysis(int64_t result_bytes, Work work) : result_bytes_(result_bytes), work_(std::move(work)) {}

  int64_t units() const override { return 1; }
  void RunUnit(int64_t /*unit*/) override { output_ = work_(); }
  AnalysisOutput Take() override { return std::move(output_); }
  int64_t result_bytes() const override { return result_bytes_; }

 private:
  int64_t result_bytes_;
  Work work_;
  AnalysisOutput output_;
};

}  // namespace superpose
