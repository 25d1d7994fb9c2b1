// The rows of the bench that count statistics.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "lib/statistics/layer_statistics.h"
#include "lib/statistics/statistics_options.h"
#include "tests/bench/bench_inputs.h"

namespace superpose {

// Each row keeps its sums from one repetition to the next, as a job does, and lets go of those of the row before it.
class StatisticsRowsBench {
 public:
  explicit StatisticsRowsBench(const BenchInputs& inputs) : inputs_(inputs) {}

  void AllFeatures();
  void Pairs();
  void Step();
  // pause_seconds of the copy, write_seconds, step_seconds of the step before, and bytes of the file.
  std::map<std::string, double> Snapshot();

  // Writes what AllFeatures and Pairs count, so that the reference counts the same.
  void WriteRows(const std::string& path);
  // Counts anew and compares with the reference's sums; returns the largest relative difference.
  double Compare(const std::string& row, const std::string& path);

 private:
  // Whether it is another row than the one before, whose sums are gone then.
  bool Enters(const std::string& row);
  StatisticsShape Shape() const;
  const StatisticsRows& Rows();
  void Count(const std::string& row, const std::set<StatisticsGroup>& groups);
  void Train(const std::string& row, StatisticsOptions options);

  const BenchInputs& inputs_;
  StatisticsRows rows_;
  std::string row_;
  std::unique_ptr<LayerStatistics> sums_;
  std::optional<StepwiseTrainer> trainer_;
};

}  // namespace superpose
