// Explains decoder directions by fewer unit factors, in slices that give way between units of work of some ten
// milliseconds. D: unit decoders [n, d]; W: the parameter [m, d]; F: its rows at length 1.
//
// Loss of a batch: decoder term + factor_param * factor term. The factor term is FactorPairs (factor_pairs.h), the
// decoder term that of the form (topk_term.h, gram_term.h). Gradients pass through the normalization, dW = (dF - (dF .
// F) F) / |W| by row; AdamW (betas 0.9, 0.999) works on W, lengths and all. Schedule: factorizer_config.h. Numbers do
// not depend on how the work is sliced.
//
// Start: form gram draws W from a normal distribution, as the reference does; form topk takes distinct decoders,
// lengthened to sqrt(d), as that draw has it, and where there are more factors than decoders draws the rest. Order:
// each epoch goes once through the decoders, shuffled by seed and epoch; the last batch of an epoch may be shorter.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/base/memory_estimate.h"
#include "lib/corpus/corpus.h"
#include "lib/factorization/decoder_term.h"
#include "lib/factorization/factor_pairs.h"
#include "lib/factorization/factorizer_config.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

struct FactorizerInputs {
  at::Tensor decoders;  // [n, d] of a floating-point type; of any lengths but 0
  // For parity with other programs; undefined otherwise.
  at::Tensor start;   // float [factors, d]: W before the first step
  at::Tensor orders;  // integers [epochs, n]: each row the order of an epoch, a permutation of 0 .. n - 1
};

// The losses of one step, before its update.
struct FactorizerLoss {
  int64_t step = 0;   // from 1
  int64_t epoch = 0;  // from 1
  double lr = 0;
  double loss = 0;  // decoder_loss + factor_param * factor_loss
  double decoder_loss = 0;
  double factor_loss = 0;  // 0 where factor_param is 0, and nothing is computed
};

// Not thread-safe. Computes on the CPU, in float32. Between RunSlice calls at a step boundary, any thread may read
// checkpoint tensors.
class Factorizer {
 public:
  // CONFIG_INVALID (of decoders: one of length 0), EMPTY_SELECTION (fewer than 2 decoders), TENSOR_SHAPE_MISMATCH,
  // TENSOR_NOT_FINITE, OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<Factorizer>> Create(FactorizerInputs inputs, FactorizerConfig config);

  // Works until the budget is exhausted or all steps are done, at least one unit; true when all steps are done. After
  // an error (FAILED_PRECONDITION / TRAINING_DIVERGED when a loss or, after the last step, a factor is not finite,
  // OUT_OF_MEMORY, ..) every call returns that error.
  absl::StatusOr<bool> RunSlice(const Budget& budget);
  // Whether no step is under way. A budget may ask for it, to stop there.
  bool at_step_boundary() const { return phase_ == Phase::kStart; }

  const FactorizerConfig& config() const { return config_; }
  int64_t step() const { return step_; }  // steps done
  int64_t steps() const { return steps_; }
  int64_t epoch() const { return step_ / steps_per_epoch_; }  // epochs done
  const at::Tensor& decoders() const { return decoders_; }    // D, float32
  // F, float32 [factors, d], at a step boundary only: good until the next step.
  const at::Tensor& UnitFactors();
  // Losses of the steps after `step` that this factorizer ran, by step.
  std::vector<FactorizerLoss> HistorySince(int64_t step) const;
  void ForgetHistoryUpTo(int64_t step);

  // A checkpoint; valid at a step boundary only. The tensors are the live ones: the factorizer must stand still until
  // they are written.
  TensorMap CheckpointTensors() const;
  StringMap CheckpointMetadata() const;
  // TRAINING_DIVERGED when W is not finite. A loss is computed before its step's update and so cannot tell: whoever
  // writes a checkpoint asks first.
  absl::Status CheckFinite() const;
  // Goes on from a checkpoint. FILE_UNSUPPORTED when another version wrote it; INPUT_CHANGED names what differs between
  // it and this factorizer: the decoders, the start, the orders or a field of the config. FILE_CORRUPT, TENSOR_MISSING,
  // TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE. Nothing is changed when it fails.
  absl::Status Restore(const TensorMap& tensors, const StringMap& metadata);

 private:
  enum class Phase { kStart, kNormalize, kDecoders, kFactors, kUpdate };

  Factorizer(const FactorizerInputs& inputs, at::Tensor decoders, FactorizerConfig config);

  absl::Status RunUnit();
  void DrawStart(const at::Tensor& given);
  void StartStep();
  void NormalizeBlock();
  void AfterDecoders();
  absl::Status FinishLosses();
  absl::Status UpdateBlock();
  StringMap Identity() const;

  const FactorizerConfig config_;
  const at::Tensor decoders_;
  const at::Tensor orders_;  // int64, undefined where the seed decides
  const int64_t steps_per_epoch_;
  const int64_t steps_;
  const double factor_param_;
  std::string decoders_hash_, start_hash_, orders_hash_;  // the last two empty where none were given
  at::Tensor parameter_, exp_avg_, exp_avg_sq_;           // W and AdamW's moments
  at::Tensor factors_, norms_, gradient_;                 // F, |W|, and the gradient of F, then of W
  at::Tensor batch_rows_;                                 // room for the batch
  std::unique_ptr<DecoderTerm> decoder_term_;
  std::unique_ptr<FactorPairs> factor_pairs_;  // null where factor_param is 0
  SequenceSampler sampler_;
  std::vector<FactorizerLoss> history_;
  absl::Status failure_;

  // Where the step under way stands.
  int64_t step_ = 0;
  Phase phase_ = Phase::kStart;
  int64_t row_ = 0;
};

// Factorizer over n decoders of width d. Held: D, five tensors of the size of W, the batch, the terms' rooms. Peak:
// that and the largest passing tensor. Checkpoint: W and its moments.
MemoryEstimate EstimateFactorization(const FactorizerConfig& config, int64_t decoders, int64_t d);

}  // namespace superpose
