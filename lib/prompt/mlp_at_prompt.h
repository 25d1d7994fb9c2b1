// The tensors around one layer's MLP at every position of some token sequences.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/midcoder/midcoder.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"
#include "lib/transcoder/transcoder.h"

namespace superpose {

enum class MlpTensorKind {
  kXHat,           // [.., d_model] the normalized input before gain and bias
  kPre,            // [.., d_mlp]   x_hat W_in + b_in
  kGate,           // [.., d_mlp]   1[mid > 0] of the midcoder, without one 1[pre > 0]
  kMid,            // [.., d_mlp]   the midcoder's mid
  kOut,            // [.., d_model] the MLP's output, centred over d_model
  kOutTranscoder,  // [.., d_model] the transcoder's output
  kOutMidcoder,    // [.., d_model] the midcoder's output
};

struct MlpQuery {
  int64_t layer = 0;
  std::vector<MlpTensorKind> which;        // one or more
  const Transcoder* transcoder = nullptr;  // may be null where NeedsTranscoder says no
  const Midcoder* midcoder = nullptr;      // may be null for all but kMid and kOutMidcoder
};

// Whether a tensor of `which` is computed from a midcoder's or a transcoder's activations. Gates come from the midcoder
// where there is one.
bool NeedsMidcoder(const std::vector<MlpTensorKind>& which);
bool NeedsTranscoder(const std::vector<MlpTensorKind>& which, bool has_midcoder);

// d_model or d_mlp.
int64_t WidthOf(MlpTensorKind kind, const ModelConfig& config);

// For each of query.which, in that order, float32 [tokens of all sequences, width] on the model's device; sequence
// after sequence. INVALID_ARGUMENT: LAYER_OUT_OF_RANGE; EMPTY_INPUT (no tensor or no tokens); CONFIG_INVALID (what a
// tensor needs is not there, or is of another layer); TRANSCODER_MISMATCH; those of CheckSequences.
absl::StatusOr<std::vector<at::Tensor>> ComputeMlpTensors(const Model& model, const MlpQuery& query,
                                                          const std::vector<TokenSequence>& sequences);

}  // namespace superpose
