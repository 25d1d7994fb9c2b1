// Collects the statistics of one or more layers of a model over a corpus, with parameters that stand still, in slices
// that give way between units of work of about 50 ms. One forward pass serves all layers. Sums depend neither on how
// the work is sliced nor, for a layer, on which others are collected with it.
//
// A BOS position is position 0 of a sequence when its id is the model's BOS.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/budget.h"
#include "lib/base/memory_estimate.h"
#include "lib/corpus/corpus.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/midcoder/midcoder.h"
#include "lib/midcoder/prefix_walk.h"
#include "lib/midcoder/statistics_checkpoint.h"
#include "lib/model/model.h"
#include "lib/statistics/layer_statistics.h"
#include "lib/statistics/statistics_options.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/activation_encoder.h"
#include "lib/transcoder/transcoder.h"
#include "lib/transcoder/transcoder_memory.h"

namespace superpose {

// One layer to collect from. A layer may come twice, with another transcoder or midcoder.
struct CollectedLayer {
  int64_t layer = 0;
  std::shared_ptr<const Transcoder> transcoder;
  std::shared_ptr<const Midcoder> midcoder;  // null without one
  std::string midcoder_hash;                 // empty without one
  StatisticsOptions options;                 // features differ by layer where a band chose them
};

struct CollectorInputs {
  std::shared_ptr<const Model> model;
  std::vector<CollectedLayer> layers;
  std::shared_ptr<const TokenSequences> sequences;
  std::string corpus_hash;  // as in TrainerInputs
};

struct CollectorConfig {
  int64_t first_sequence = 0;
  // At most so many, BOS included: whole batches, but at least one; ends with the corpus before.
  int64_t tokens = 1'000'000;
  int64_t batch_size = 32;  // sequences
  bool include_bos = false;
};

// Not thread-safe. Between RunSlice calls at a boundary, any thread may read the statistics.
class StatisticsCollector {
 public:
  // Rows whose mid is computed in one unit: a constant, so that numbers never depend on the budget.
  static constexpr int64_t kRowsPerTile = 512;

  // CONFIG_INVALID, LAYER_OUT_OF_RANGE, TRANSCODER_MISMATCH, CONTEXT_EXCEEDED, CORPUS_TOO_SMALL (first_sequence is not
  // in it), FEATURE_OUT_OF_RANGE, EMPTY_SELECTION, OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<StatisticsCollector>> Create(CollectorInputs inputs, CollectorConfig config);

  // Works until the budget is exhausted or all tokens are counted, at least one unit; true when all are. After an error
  // every call returns it.
  absl::StatusOr<bool> RunSlice(const Budget& budget);
  // Whether no batch is under way. A budget may ask for it, to stop there.
  bool at_boundary() const { return phase_ == Phase::kStart; }

  const CollectorConfig& config() const { return config_; }
  // Tokens run through the model in batches that are done, BOS included, and how many it will be in all.
  int64_t tokens_done() const { return (sequence_ - config_.first_sequence) * length_; }
  int64_t tokens_total() const { return (end_ - config_.first_sequence) * length_; }
  // Sequences counted: [config().first_sequence, sequences_end()).
  int64_t sequences_end() const { return sequence_; }
  int64_t layers() const { return static_cast<int64_t>(inputs_.layers.size()); }
  // Sums of one layer; tokens() of it are those counted. At a boundary only.
  const LayerStatistics& statistics(int64_t index) const { return *sums_[index].statistics; }

  // A checkpoint; valid at a boundary only. The tensors may be the live ones: the collector must stand still until they
  // are written.
  TensorMap CheckpointTensors() const;
  StringMap CheckpointMetadata() const;
  // Goes on from a checkpoint. FILE_UNSUPPORTED when another version wrote it; INPUT_CHANGED names what differs;
  // FILE_CORRUPT, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE. Nothing is changed when it fails.
  absl::Status Restore(const TensorMap& tensors, const StringMap& metadata);

 private:
  enum class Phase { kStart, kPrefix, kEncode, kMid, kSum };

  StatisticsCollector(CollectorInputs inputs, CollectorConfig config, std::vector<LayerSums> sums);

  absl::Status RunUnit();
  absl::Status StartBatch();
  void StartChunk();
  void RunPrefixBlock();
  void KeepMlp(int64_t layer, const MlpTensors& mlp);
  void EncodeTile();
  void StartBlock(int64_t begin);
  void RunMidTile();
  void BeginSums();
  void RunSums();
  void FinishLayer();
  void FinishBatch();
  StringMap Identity() const;

  const CollectedLayer& layer() const { return inputs_.layers[layer_index_]; }
  MlpRows& rows() { return rows_[layer_index_]; }

  const CollectorInputs inputs_;
  const CollectorConfig config_;
  const int64_t length_;  // tokens of a sequence
  const int64_t end_;     // one after the last sequence
  int64_t last_layer_ = 0;
  std::vector<LayerSums> sums_;  // by layer
  std::vector<MlpRows> rows_;    // by layer: the batch's rows that count; tensors that no group needs are undefined
  at::Tensor mid_;               // workspace for mid of a block; undefined where no layer needs it
  absl::Status failure_;

  // Where it stands.
  int64_t sequence_ = 0;  // first of the batch
  Phase phase_ = Phase::kStart;
  at::Tensor tokens_;  // [sequences of the batch, length] on the CPU
  PrefixWalk walk_;
  int64_t chunk_ = 0;      // first sequence, in the batch, of the chunk in the walk
  at::Tensor chunk_rows_;  // int64, on the device: the chunk's rows that count
  int64_t row_count_ = 0;  // the batch's rows that count, of the chunks so far
  size_t layer_index_ = 0;
  std::optional<ActivationEncoder> encoder_;
  RowSlices activations_;
  int64_t block_begin_ = 0, block_end_ = 0;  // rows that are summed together
  int64_t row_ = 0;                          // the next whose mid is computed
};

// What EstimateCollecting knows of a layer.
struct CollectedShape {
  TranscoderShape transcoder;
  std::optional<MidForm> midcoder;  // its form; absent without one
  StatisticsOptions options;
};

// StatisticsCollector with its midcoders, for sequences of context_length tokens, R = batch_size * context_length a
// batch. Held: the midcoders, the sums, for each layer the batch's 4 R (2 d_model + d_mlp), mid of a block, and the
// forward pass over about 512 tokens. Peak: that, and the largest of: the tensors around an MLP for those tokens, the
// encoder, mid of a tile, and the sums' workspaces beside the activations. Checkpoint: the sums.
MemoryEstimate EstimateCollecting(const ModelConfig& model, const std::vector<CollectedShape>& layers,
                                  int64_t context_length, const CollectorConfig& config);

}  // namespace superpose
