// A factorization from start to end: fits factors, fits others with other seeds, matches them, and measures what they
// are worth, in slices.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/base/memory_estimate.h"
#include "lib/factorization/factor_similarity.h"
#include "lib/factorization/factorization_quality.h"
#include "lib/factorization/factorizer.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

struct FactorizationRunConfig {
  // epochs of 0, with a start: nothing is fitted, the start is measured.
  FactorizerConfig factorizer;
  double held_out_share = 0.1;
  int64_t stability_runs = 1;  // fits with seed + 1, seed + 2, ..; 0 with a start
  double duplicate_cosine = 0.95;
};
inline constexpr int64_t kMostStabilityRuns = 10;
// CONFIG_INVALID says which field is wrong and what would be right. has_start: the run begins with factors that are
// given.
absl::Status ValidateFactorizationRunConfig(const FactorizationRunConfig& config, bool has_start);

struct FactorizationRunInputs {
  at::Tensor directions;  // [n + h, d] of a floating-point type; of any lengths but 0
  // Floating point [m, d]: W before the first step, m in the place of the config's factors; undefined: drawn. Must
  // stay.
  at::Tensor start;
  // int64: which of the directions may be held out, by index; undefined: any. With a start only those that it was not
  // fitted on tell what it is worth on others.
  at::Tensor may_hold_out = {};
};

// Not thread-safe. Computes on the CPU, in float32. Numbers do not depend on how the work is sliced, nor on whether it
// was resumed.
class FactorizationRun {
 public:
  // CONFIG_INVALID, EMPTY_SELECTION, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE, OUT_OF_MEMORY, as Factorizer::Create and
  // SplitDecoders.
  static absl::StatusOr<std::unique_ptr<FactorizationRun>> Create(FactorizationRunInputs inputs,
                                                                  FactorizationRunConfig config);

  // Works until the budget is exhausted or all is done, at least one unit; true when all is. After an error every call
  // returns it; those of Factorizer::RunSlice.
  absl::StatusOr<bool> RunSlice(const Budget& budget);
  // Whether a checkpoint can be written: between steps, and while the quality is measured.
  bool at_boundary() const;

  const FactorizationRunConfig& config() const { return config_; }
  int64_t fits() const;         // the first one and those with other seeds; 0 when nothing is fitted
  int64_t fit() const;          // the one that is under way, from 1; after the last one fits()
  int64_t steps_done() const;   // of all fits
  int64_t steps_total() const;  // of all fits
  // Parts of what is measured after the fits.
  int64_t parts_measured() const;
  int64_t parts_to_measure() const { return QualityMeter::PartsOf(split_.held_out.numel() > 0); }
  // The newest loss; none before the first step of this run's life.
  std::optional<FactorizerLoss> newest_loss() const;

  // A checkpoint; at a boundary only. The tensors may be live ones: the run must stand still until they are written.
  // CheckFinite first: TRAINING_DIVERGED.
  absl::Status CheckFinite();
  TensorMap CheckpointTensors() const;
  StringMap CheckpointMetadata() const;
  // INPUT_CHANGED when it was made of other decoders or settings, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH,
  // TENSOR_NOT_FINITE. Nothing is changed when it fails.
  absl::Status Restore(const TensorMap& tensors, const StringMap& metadata);

  // When all is done.
  const FactorizationQuality& quality() const;
  std::optional<double> stability() const;
  const DecoderSplit& split() const;  // indices into the directions
  // Of the first fit, all its steps.
  const std::vector<FactorizerLoss>& history() const;
  // The tensors of an artifact (factorization.proto) but feature and rank: factors, parameter, directions (those fitted
  // on first, in the order of the split), error, cosine, l0, uses, nearest, nearest_cosine, cosine_histogram; of form
  // topk code_factors, code_values; where anything was fitted loss, decoder_loss, factor_loss, lr; with stability runs
  // stability_match, stability_cosine. INTERNAL / COMPUTE_FAILED, OUT_OF_MEMORY.
  absl::StatusOr<TensorMap> ResultTensors() const;

 private:
  enum class Phase { kFit, kMatch, kMeasure, kDone };

  // How the factors of another seed are met by those of the first fit.
  struct Stability {
    FactorMatch match;      // of the first fit's factors in the other's
    double similarity = 0;  // the mean of both directions' mean cosines
  };

  FactorizationRun(FactorizationRunConfig config, DecoderSplit split, at::Tensor directions, at::Tensor start);

  at::Tensor FittedRows() const { return directions_.narrow(0, 0, split_.fitted.size(0)); }
  at::Tensor HeldOutRows() const;  // undefined where there are none
  absl::StatusOr<std::unique_ptr<Factorizer>> MakeFactorizer(int64_t fit) const;
  absl::Status RunPart(const Budget& budget);
  absl::Status Fit(const Budget& budget);
  absl::Status FinishFit();
  void TakeLosses();
  void NextFit();
  absl::Status Match();
  absl::Status Measure(const Budget& budget);
  StringMap Identity() const;
  at::Tensor HistoryTensor() const;
  void AddStabilityTo(TensorMap* tensors) const;

  // What a checkpoint holds, read and checked.
  struct Restored {
    int64_t fits_done = 0;
    std::unique_ptr<Factorizer> factorizer;
    at::Tensor parameter;
    std::vector<Stability> stability;
    std::vector<FactorizerLoss> history;
  };
  absl::StatusOr<Restored> Read(const TensorMap& tensors, const StringMap& metadata) const;
  absl::Status ReadFinished(const TensorMap& tensors, Restored* restored) const;
  absl::Status ReadHistory(const TensorMap& tensors, Restored* restored) const;

  const FactorizationRunConfig config_;
  const DecoderSplit split_;
  const at::Tensor directions_;  // at length 1, in the order of the split
  const at::Tensor start_;
  const int64_t steps_per_fit_;
  std::string directions_hash_, start_hash_;  // the latter empty without a start
  at::Tensor parameter_;                      // W of the first fit, once it is done
  at::Tensor factors_;                        // its rows at length 1, once all fits are
  std::vector<Stability> stability_;          // of the fits with other seeds that are done
  std::vector<FactorizerLoss> history_;       // of the first fit
  std::optional<FactorizerLoss> newest_loss_;
  absl::Status failure_;

  // Where the work under way stands.
  Phase phase_ = Phase::kFit;
  int64_t fits_done_ = 0;
  std::unique_ptr<Factorizer> factorizer_;  // of the fit under way, from its first unit on
  std::unique_ptr<FactorMatcher> matcher_;
  std::unique_ptr<QualityMeter> meter_;
};

// Of n + h decoders: the larger of what fitting and what measuring take at once, with the directions, the factors of
// the first fit, and the history.
MemoryEstimate EstimateFactorizationRun(const FactorizationRunConfig& config, int64_t directions, int64_t d);

}  // namespace superpose
