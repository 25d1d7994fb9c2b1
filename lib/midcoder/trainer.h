// Trains midcoders for one or more layers of a model, each on its own transcoder, in slices that give way between units
// of work of about 50 ms. One forward pass of the model serves all layers.
//
// Loss of a layer: mean (mid - pre)^2 + mse_out_param * mean (mlp_out - out)^2, where pre and out are the model's own
// pre-activation and MLP output, BOS positions included. Optimizer: AdamW (betas 0.9, 0.999), decay on every parameter,
// all starting at zero. Schedule: trainer_config.h. Numbers depend neither on how the work is sliced nor, for a layer,
// on which other layers are trained with it.
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
#include "lib/model/model.h"
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

// One layer's losses at one step, before the step's update.
struct StepLoss {
  int64_t step = 0;  // from 1
  int64_t layer = 0;
  double lr = 0;
  double loss = 0;  // mse_mid + mse_out_param * mse_out
  double mse_mid = 0;
  double mse_out = 0;
  double mse_out_transcoder = 0;
};

// Not thread-safe. Between RunSlice calls at a step boundary, any thread may read midcoders and checkpoint tensors.
class MidcoderTrainer {
 public:
  // CONFIG_INVALID, LAYER_OUT_OF_RANGE, TRANSCODER_MISMATCH (width, number or device), CONTEXT_EXCEEDED,
  // CORPUS_TOO_SMALL, OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<MidcoderTrainer>> Create(TrainerInputs inputs, TrainerConfig config);

  // Works until the budget is exhausted or all steps are done, at least one unit; true when all steps are done. After
  // an error (FAILED_PRECONDITION / TRAINING_DIVERGED when a loss is not finite, OUT_OF_MEMORY, ..) every call returns
  // that error.
  absl::StatusOr<bool> RunSlice(const Budget& budget);

  const TrainerConfig& config() const { return config_; }
  int64_t step() const { return step_; }  // steps done
  int64_t tokens_seen() const { return step_ * rows_; }
  // The midcoder of config().layers[index].
  const Midcoder& midcoder(int64_t index) const { return layers_[index].midcoder(); }
  // Losses of the steps after `step` that this trainer ran, by step, then in the config's order of layers.
  std::vector<StepLoss> HistorySince(int64_t step) const;

  // Whether no step is under way. A budget may ask for it, to stop there.
  bool at_step_boundary() const { return phase_ == Phase::kStart; }

  // A checkpoint; valid at a step boundary only. The tensors are the live ones: the trainer must stand still until they
  // are written.
  TensorMap CheckpointTensors() const;
  StringMap CheckpointMetadata() const;
  // Goes on from a checkpoint. INPUT_CHANGED names what differs between it and this trainer: the model, a transcoder,
  // the corpus or a field of the config. FILE_CORRUPT, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE.
  // Nothing is changed when it fails.
  absl::Status Restore(const TensorMap& tensors, const StringMap& metadata);

 private:
  enum class Phase { kStart, kPrefix, kEncode, kTile, kUpdate };

  MidcoderTrainer(TrainerInputs inputs, TrainerConfig config);

  absl::Status RunUnit();
  absl::Status StartStep();
  void RunPrefixBlock();
  void KeepMlp(int64_t layer, const MlpTensors& mlp);
  void EncodeTile();
  absl::Status RunRowTile();
  absl::Status FinishForward();
  void UpdateFeatureBlock();
  void FinishLayer();
  StringMap Identity() const;

  LayerTrainer& layer() { return layers_[layer_index_]; }
  MlpRows& targets() { return targets_[layer_index_]; }
  AdamWSettings Optimizer() const;

  const TrainerInputs inputs_;
  const TrainerConfig config_;
  const int64_t length_;      // tokens of a sequence
  const int64_t rows_;        // tokens of a step
  const int64_t last_layer_;  // where the forward pass stops
  std::vector<LayerTrainer> layers_;
  std::vector<MlpRows> targets_;
  at::Tensor gradients_;  // workspace for the gradient rows of the layer in turn
  SequenceSampler sampler_;
  std::vector<StepLoss> history_;
  absl::Status failure_;

  // Where the step under way stands.
  int64_t step_ = 0;
  Phase phase_ = Phase::kStart;
  at::Tensor tokens_;  // [batch_size, length] on the device
  std::optional<PrefixWalk> walk_;
  int64_t sequence_ = 0;  // first of the chunk in the walk
  int64_t layer_index_ = 0;
  std::optional<ActivationEncoder> encoder_;
  SparseActivations activations_;
  int64_t row_ = 0;
  int64_t feature_ = 0;
};

}  // namespace superpose
