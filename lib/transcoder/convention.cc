#include "lib/transcoder/convention.h"

#include "lib/base/error.h"

namespace superpose {

absl::string_view NameOf(TranscoderInput input) {
  return input == TranscoderInput::kBeforeGain ? "normalized_before_gain" : "normalized_after_gain";
}

absl::StatusOr<TranscoderInput> ParseTranscoderInput(absl::string_view name) {
  for (const TranscoderInput input : {TranscoderInput::kBeforeGain, TranscoderInput::kAfterGain}) {
    if (name == NameOf(input)) return input;
  }
  return InvalidArgument(reason::kConfigInvalid, "input \"", name,
                         "\" must be \"normalized_before_gain\" or \"normalized_after_gain\"");
}

absl::string_view NameOf(InputKnownFrom source) {
  switch (source) {
    case InputKnownFrom::kFormat:
      return "format";
    case InputKnownFrom::kFile:
      return "file";
    case InputKnownFrom::kConfig:
      return "config";
    case InputKnownFrom::kSelfTest:
      return "self_test";
    case InputKnownFrom::kDefault:
      break;
  }
  return "default";
}

absl::string_view NameOf(TranscoderActivation activation) {
  return activation == TranscoderActivation::kRelu ? "relu" : "jumprelu";
}

}  // namespace superpose
