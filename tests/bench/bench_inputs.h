// What the rows of the bench work on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/corpus/corpus.h"
#include "lib/midcoder/layer_trainer.h"
#include "lib/midcoder/midcoder.h"
#include "lib/midcoder/trainer.h"
#include "lib/model/model.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

// The end of the program where something went wrong.
inline void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "superpose_bench: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}
template <typename T>
T Must(absl::StatusOr<T> value) {
  Must(value.status());
  return *std::move(value);
}

struct BenchInputs {
  static constexpr int64_t kLength = 128;

  std::string folder;
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Transcoder> transcoder;
  int64_t layer = 0;
  int64_t batch = 0;  // sequences
  std::shared_ptr<const TokenSequences> sequences;
  at::Tensor tokens;  // of the first batch
  MlpRows rows;       // of the same
};

// From what make_inputs.py writes.
BenchInputs LoadBenchInputs(const std::string& folder, int64_t batch);
// One for each layer of the model.
std::vector<std::shared_ptr<const Transcoder>> LoadAllTranscoders(const BenchInputs& inputs);
// Form d_mlp with random W_mid, the same at each call; biases are zero.
std::shared_ptr<const Midcoder> RandomMidcoder(const BenchInputs& inputs);

// One step of training after another: the budget ends at each step's end.
class StepwiseTrainer {
 public:
  // On the layer of the inputs; sets layers and batch size.
  StepwiseTrainer(const BenchInputs& inputs, TrainerConfig config);
  // On the layers of these transcoders: all of the model's, or the inputs' alone.
  StepwiseTrainer(const BenchInputs& inputs, TrainerConfig config,
                  std::vector<std::shared_ptr<const Transcoder>> transcoders);
  void Step();
  // From a checkpoint's tensors and metadata.
  void Restore(const TensorMap& tensors, const StringMap& metadata);
  const MidcoderTrainer& trainer() const { return *trainer_; }

 private:
  std::unique_ptr<MidcoderTrainer> trainer_;
};

}  // namespace superpose
