// A request for the tensors around an MLP, checked, and its computation part by part.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/prompt/mlp_at_prompt.h"
#include "server/runtime/memory_budget.h"
#include "server/services/midcoder_cache.h"
#include "server/services/prompt_input.h"
#include "superpose/v1/prompt_service.pb.h"

namespace superpose {

class MlpTensorsWork {
 public:
  // Both must outlive the work.
  struct Parts {
    MidcoderCache* midcoders = nullptr;
    MemoryBudget* budget = nullptr;
  };
  // Blocks on disk where a midcoder is named. Everything that can be wrong with a request is found here. Errors: those
  // of ReadPrompt and FindTranscoderOf; EMPTY_INPUT; CONFIG_INVALID; LAYER_OUT_OF_RANGE; TRANSCODER_MISMATCH;
  // MIDCODER_NOT_FOUND; INPUT_CHANGED when the midcoder was trained for other weights; REQUEST_TOO_LARGE beyond
  // limits.max_held_bytes; MEMORY_EXCEEDED where they would never fit.
  static absl::StatusOr<MlpTensorsWork> Prepare(const ModelRegistry& registry, const Parts& parts,
                                                const v1::GetMlpTensorsRequest& request, const Limits& limits);

  // On the device's thread; true after the last part. MEMORY_EXCEEDED where there is no room for the tensors now.
  absl::StatusOr<bool> RunPart();

  int64_t tokens() const { return CountTokens(parts_.all()); }
  // What the first response says besides its chunk.
  absl::StatusOr<v1::GetMlpTensorsResponse> Description() const;
  // The tensors asked for, each once, in the order asked for.
  const std::vector<v1::MlpTensor>& which() const { return which_; }
  // The values of which()[index] on the CPU: after the last part, once. Their memory is reserved as long as they are
  // held.
  at::Tensor Take(size_t index) { return std::move(tensors_[index]); }

 private:
  MlpTensorsWork(PromptInput input, const Parts& parts)
      : model_(std::move(input.model)),
        parts_(std::move(input.sequences)),
        midcoders_(parts.midcoders),
        budget_(parts.budget) {}
  absl::Status TakeWhich(const v1::GetMlpTensorsRequest& request);
  absl::Status TakeTranscoder(const ModelRegistry& registry, const v1::GetMlpTensorsRequest& request);
  absl::Status TakeMidcoder(const v1::GetMlpTensorsRequest& request);
  absl::Status CheckMidcoder(const std::string& name) const;
  absl::Status CheckSize(const Limits& limits) const;
  absl::Status LoadMidcoder();
  int64_t BytesOf(MlpTensorKind kind) const;
  int64_t BytesOfAll() const;
  absl::Status MakeRoom();

  ModelHandle model_;
  SequenceParts parts_;
  MidcoderCache* midcoders_;
  MemoryBudget* budget_;
  MlpQuery query_;
  std::vector<v1::MlpTensor> which_;
  TranscoderHandle transcoder_;                // null where none takes part
  std::optional<OpenMidcoder> open_midcoder_;  // where one was named
  std::shared_ptr<const Midcoder> midcoder_;   // from the first part on
  std::vector<at::Tensor> tensors_;            // from the first part on
  int64_t rows_done_ = 0;
};

}  // namespace superpose
