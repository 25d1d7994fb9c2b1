// Trains midcoders for one or more layers of a model, each on its own transcoder, in slices that give way between units
// of work of about 50 ms. One forward pass of the model serves all layers, and it and one pass of each encoder serve
// all variants of a sweep that share a seed.
//
// Loss of a layer: mean (mid - pre)^2 + mse_out_param * mean (mlp_out - out)^2, where pre and out are the model's own
// pre-activation and MLP output, BOS positions included. Optimizer: AdamW (betas 0.9, 0.999), decay on every parameter,
// all starting at zero. Schedule: trainer_config.h. Numbers depend neither on how the work is sliced nor, for a
// midcoder, on which others are trained with it, nor on whether statistics are collected.
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
#include "lib/corpus/corpus.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/midcoder/midcoder.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/midcoder/trainer_config.h"
#include "lib/midcoder/training_statistics.h"
#include "lib/model/model.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

struct TrainerInputs {
  std::shared_ptr<const Model> model;
  std::vector<std::shared_ptr<const Transcoder>> transcoders;  // one for each of the config's layers
  std::shared_ptr<const TokenSequences> sequences;
  std::string corpus_hash;  // content hash of the corpus, split included: a checkpoint is bound to it
};

// One midcoder's losses at one step, before the step's update.
struct StepLoss {
  int64_t step = 0;  // from 1
  int64_t layer = 0;
  int64_t variant = 0;  // of the sweep
  double lr = 0;
  double loss = 0;  // mse_mid + mse_out_param * mse_out
  double mse_mid = 0;
  double mse_out = 0;
  double mse_out_transcoder = 0;
};

// Not thread-safe. Between RunSlice calls at a step boundary, any thread may read midcoders and checkpoint tensors.
class MidcoderTrainer {
 public:
  // Rows that go forward and back together: a constant, so that numbers never depend on the budget.
  static constexpr int64_t kRowsPerTile = 512;

  // CONFIG_INVALID, LAYER_OUT_OF_RANGE, TRANSCODER_MISMATCH (width, number or device), CONTEXT_EXCEEDED,
  // CORPUS_TOO_SMALL, OUT_OF_MEMORY; of statistics FEATURE_OUT_OF_RANGE, EMPTY_SELECTION.
  static absl::StatusOr<std::unique_ptr<MidcoderTrainer>> Create(TrainerInputs inputs, TrainerConfig config);

  // Works until the budget is exhausted or all steps are done, at least one unit; true when all steps are done. After
  // an error (FAILED_PRECONDITION / TRAINING_DIVERGED when a loss or, after the last step, a parameter is not finite,
  // OUT_OF_MEMORY, ..) every call returns that error.
  absl::StatusOr<bool> RunSlice(const Budget& budget);

  const TrainerConfig& config() const { return config_; }
  int64_t step() const { return step_; }  // steps done
  int64_t tokens_seen() const { return step_ * rows_; }
  // Variants trained for each layer.
  int64_t variants() const { return static_cast<int64_t>(variants_.size()); }
  // Midcoders in all: layers turn slowest. Number `index` is config().layers[index / variants()]'s, variant index %
  // variants().
  int64_t midcoders() const { return static_cast<int64_t>(trained_.size()); }
  const Midcoder& midcoder(int64_t index) const { return trained_[index].midcoder(); }
  // Sums over the tokens of steps 0 .. step() - 1 for config().layers[index]; only where the config has statistics. At
  // a step boundary only, as midcoders are read.
  const LayerStatistics& statistics(int64_t index) const { return *statistics_->sums()[index].statistics; }
  // Losses of the steps after `step` that this trainer ran, by step.
  std::vector<StepLoss> HistorySince(int64_t step) const;
  // Lets go of the losses up to `step`, which somebody else keeps: a run of millions of steps need not hold them all.
  void ForgetHistoryUpTo(int64_t step);

  // Whether no step is under way. A budget may ask for it, to stop there.
  bool at_step_boundary() const { return phase_ == Phase::kStart; }

  // A checkpoint; valid at a step boundary only. The tensors are the live ones: the trainer must stand still until they
  // are written.
  TensorMap CheckpointTensors() const;
  StringMap CheckpointMetadata() const;
  // TRAINING_DIVERGED names a parameter that is not finite. A loss is computed before its step's update and so cannot
  // tell: whoever writes a checkpoint asks first.
  absl::Status CheckFinite() const;
  // Goes on from a checkpoint. FILE_UNSUPPORTED when another version wrote it; INPUT_CHANGED names what differs between
  // it and this trainer: the model, a transcoder, the corpus or a field of the config. FILE_CORRUPT, TENSOR_MISSING,
  // TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE. Nothing is changed when it fails.
  absl::Status Restore(const TensorMap& tensors, const StringMap& metadata);

 private:
  enum class Phase { kStart, kPrefix, kEncode, kTile, kStatistics, kUpdate };

  MidcoderTrainer(TrainerInputs inputs, TrainerConfig config, std::unique_ptr<StepStatistics> statistics);

  absl::Status RunUnit();
  absl::Status StartStep();
  void RunPrefixBlock();
  MlpTensors TargetsOf(int64_t layer, int64_t count) const;
  void EncodeTile();
  absl::Status RunRowTile();
  absl::Status RunStatistics();
  absl::Status AfterTile();
  absl::Status FinishForward();
  absl::Status UpdateFeatureBlock();
  absl::Status FinishVariant();
  TensorMap StateTensors() const;
  StringMap Identity() const;

  absl::Status StartSeed();
  bool GoToVariantOfSeed(int64_t first);
  const Transcoder& transcoder() const { return *inputs_.transcoders[layer_index_]; }
  const TrainerVariant& variant() const { return variants_[variant_index_]; }
  LayerTrainer& trained() { return trained_[layer_index_ * variants() + variant_index_]; }
  MlpRows& targets() { return targets_[layer_index_]; }
  AdamWSettings Optimizer() const;

  const TrainerInputs inputs_;
  const TrainerConfig config_;
  const int64_t length_;      // tokens of a sequence
  const int64_t rows_;        // tokens of a step
  const int64_t last_layer_;  // where the forward pass stops
  const std::vector<TrainerVariant> variants_;
  const std::vector<uint64_t> seeds_;                 // of the variants, each once
  const std::unique_ptr<StepStatistics> statistics_;  // null without statistics
  std::vector<LayerTrainer> trained_;
  std::vector<MlpRows> targets_;           // by layer
  at::Tensor gradients_;                   // workspace for the gradient rows of the midcoder in turn
  std::vector<SequenceSampler> samplers_;  // by seed
  std::vector<StepLoss> history_;
  absl::Status failure_;

  // Where the step under way stands.
  int64_t step_ = 0;
  Phase phase_ = Phase::kStart;
  int64_t seed_index_ = 0;
  at::Tensor tokens_;  // [batch_size, length] on the device
  PrefixWalk walk_;
  int64_t sequence_ = 0;  // first of the chunk in the walk
  int64_t layer_index_ = 0;
  int64_t variant_index_ = 0;
  std::optional<ActivationEncoder> encoder_;
  RowSlices activations_;
  int64_t row_ = 0;
  int64_t feature_ = 0;
};

}  // namespace superpose
