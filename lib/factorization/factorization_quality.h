// What a factorization is worth: how well its factors explain the decoders that they were fitted on and others, how
// they are used and how alike they are, and how well directions that cost little do by the same rule.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/base/memory_estimate.h"
#include "lib/factorization/baselines.h"
#include "lib/factorization/explainer.h"
#include "lib/factorization/factor_similarity.h"

namespace superpose {

struct QualityInputs {
  at::Tensor factors;   // [m, d], of any lengths but 0, as are the others
  at::Tensor decoders;  // [n, d], those fitted on
  at::Tensor held_out;  // [h, d], or undefined
};

struct QualitySettings {
  ExplainRule rule;
  double duplicate_cosine = 0.95;  // |cosine| above which a factor repeats another
  uint64_t seed = 0;               // of k-means
};

// Directions explained by the rule of the factors.
struct BaselineQuality {
  int64_t directions = 0;  // as many as factors, but k-means has at most n, PCA at most n and d
  ExplanationSummary fitted;
  std::optional<ExplanationSummary> held_out;
};

struct FactorizationQuality {
  Explanation fitted;
  std::optional<Explanation> held_out;
  int64_t dead = 0;        // factors that no fitted decoder uses
  int64_t duplicates = 0;  // factors that repeat an earlier one
  FactorSimilarity similarity;
  BaselineQuality k_means, pca;  // fitted on `decoders`
};

// Not thread-safe. Computes on the CPU, in float32.
class QualityMeter {
 public:
  // CONFIG_INVALID (a rule or setting; a row of length 0), EMPTY_SELECTION, TENSOR_SHAPE_MISMATCH (widths that differ,
  // too), TENSOR_NOT_FINITE, OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<QualityMeter>> Create(QualityInputs inputs, QualitySettings settings);

  // Works until the budget is exhausted or all is measured, at least one unit; true when all is. After an error every
  // call returns it.
  absl::StatusOr<bool> RunSlice(const Budget& budget);
  // Parts done, of parts(): each explanation, k-means, PCA and the similarities are one.
  int64_t parts_done() const { return part_; }
  int64_t parts() const { return static_cast<int64_t>(parts_.size()); }
  // What parts() will be.
  static constexpr int64_t PartsOf(bool has_held_out) { return has_held_out ? 11 : 8; }
  // When all is measured.
  const FactorizationQuality& quality() const { return quality_; }

 private:
  using Part = std::function<bool()>;  // runs a unit; true when the part is done

  QualityMeter(QualityInputs inputs, QualitySettings settings);
  void AddExplanation(const at::Tensor& decoders, std::function<at::Tensor()> directions,
                      std::function<void(const Explanation&)> take);
  void AddFactors();
  void AddBaseline(const std::shared_ptr<at::Tensor>& directions, BaselineQuality* quality);

  const QualityInputs inputs_;
  const QualitySettings settings_;
  std::vector<Part> parts_;
  size_t part_ = 0;
  FactorizationQuality quality_;
  absl::Status failure_;
};

// How many of the decoders a share holds out: rounded down, but such that 2 are left to fit. 0 of a share not in [0,
// 1).
int64_t HeldOutCount(int64_t decoders, double held_out_share);

// Decoders held out of the fit: `count` ids 0 .. n - 1 in two ascending lists, int64.
struct DecoderSplit {
  at::Tensor fitted, held_out;
};
// HeldOutCount of them are held out; which ones the seed decides. may_hold_out: int64 ids, each once: only these may
// be, and where they are fewer, all of them are; undefined: any may. CONFIG_INVALID (a share not in [0, 1), fewer than
// 2 decoders).
absl::StatusOr<DecoderSplit> SplitDecoders(int64_t decoders, double held_out_share, uint64_t seed,
                                           const at::Tensor& may_hold_out = {});

// QualityMeter over n decoders, of which h more are held out, and m factors, all of width d. Held: unit rows and what
// is told of each decoder and factor. Peak: that, k-means, and the rooms of what takes most at once.
MemoryEstimate EstimateQuality(const ExplainRule& rule, int64_t factors, int64_t decoders, int64_t held_out, int64_t d);

}  // namespace superpose
