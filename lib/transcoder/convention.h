// What a transcoder's file computes. In memory there is one form (transcoder.h); whatever a file does otherwise is
// folded into the weights when it is loaded (fold.h).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace superpose {

// The tensor that the encoder reads: the MLP's layer-normalised input x_hat, or x_hat gain + bias. A hook's name does
// not tell: TransformerLens's ln2.hook_normalized is after the gain up to 2.x and before it since 3.0.
enum class TranscoderInput { kBeforeGain, kAfterGain };

// How the input is known: the format has one only; the file says it; the server's config does; the self-test found it
// better (self_test.h); or nothing tells, and it is a guess.
enum class InputKnownFrom { kFormat, kFile, kConfig, kSelfTest, kDefault };

// relu(pre), or relu(pre) where pre is above the feature's threshold and 0 elsewhere.
enum class TranscoderActivation { kRelu, kJumpRelu };

struct TranscoderConvention {
  TranscoderInput input = TranscoderInput::kBeforeGain;
  InputKnownFrom input_known_from = InputKnownFrom::kFormat;
  bool subtracts_input_bias = false;  // b_dec from the input
  bool has_skip = false;              // the input goes to the output through W_skip as well
  TranscoderActivation activation = TranscoderActivation::kRelu;
  bool centred_target = false;      // it was trained on the MLP's output minus its mean over d_model
  double activation_scale = 1;      // in training, input and target were multiplied by it
  std::vector<std::string> folded;  // what was folded at load, in words, in order
};

// "normalized_before_gain", "normalized_after_gain".
absl::string_view NameOf(TranscoderInput input);
// The other way round; CONFIG_INVALID.
absl::StatusOr<TranscoderInput> ParseTranscoderInput(absl::string_view name);
// "format", "file", "config", "self_test", "default".
absl::string_view NameOf(InputKnownFrom source);
// "relu", "jumprelu".
absl::string_view NameOf(TranscoderActivation activation);

}  // namespace superpose
