// The options with which a verb says what statistics to collect.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "superpose/v1/statistics.pb.h"

namespace superpose::cli {

struct StatisticsChoice {
  std::vector<std::string> groups;
  std::string features;
  std::string pair_features;
  bool include_bos = false;
  std::optional<int64_t> snapshot_every;
  std::optional<int32_t> keep_last;
};

// --groups, --features, --pair-features, --include-bos, --snapshot-every, --keep-last. Each needs the option `needed`
// where that is given.
void AddStatisticsOptions(CLI::App* verb, StatisticsChoice* choice, CLI::Option* needed = nullptr);

// What was chosen. The command line was checked.
v1::StatisticsOptions StatisticsOptionsOf(const StatisticsChoice& choice);

}  // namespace superpose::cli
