#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "lib/statistics/statistics_batch.h"

namespace superpose {

// What the entries of a tensor of sums stand for.
enum class SumsOver {
  kFeatures,  // dimension 0: counted features
  kPairs,     // an upper triangle of counted features of pairs
  kOther,     // no features at all
};

struct NamedSums {
  std::string name;  // as in snapshot_layout.h
  at::Tensor sums;   // live, by counted feature, on the device
  SumsOver over = SumsOver::kFeatures;
};

// Sums of one kind. A batch is Begin, then RunUnit until it says true. May throw what LibTorch throws.
class SumGroup {
 public:
  virtual ~SumGroup() = default;
  // `batch` stands still until it is counted.
  virtual void Begin(const StatisticsBatch& batch) = 0;
  // Counts a part of it in about 50 ms; true when all of it is counted.
  virtual bool RunUnit() = 0;
  virtual std::vector<NamedSums> Sums() const = 0;
};

}  // namespace superpose
