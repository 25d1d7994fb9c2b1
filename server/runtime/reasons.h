// The reasons that the server gives beside those of lib (lib/base/error.h); all stand in proto/superpose/v1/errors.proto.
#pragma once

#include "absl/strings/string_view.h"

namespace superpose::reason {

inline constexpr absl::string_view kModelNotFound = "MODEL_NOT_FOUND";
inline constexpr absl::string_view kTranscoderNotFound = "TRANSCODER_NOT_FOUND";
inline constexpr absl::string_view kSelectorAmbiguous = "SELECTOR_AMBIGUOUS";
inline constexpr absl::string_view kCorpusNotFound = "CORPUS_NOT_FOUND";
inline constexpr absl::string_view kMidcoderNotFound = "MIDCODER_NOT_FOUND";
inline constexpr absl::string_view kNameInvalid = "NAME_INVALID";
inline constexpr absl::string_view kPageTokenInvalid = "PAGE_TOKEN_INVALID";
inline constexpr absl::string_view kRequestTooLarge = "REQUEST_TOO_LARGE";
inline constexpr absl::string_view kSliceOutOfRange = "SLICE_OUT_OF_RANGE";
inline constexpr absl::string_view kFeatureOutOfRange = "FEATURE_OUT_OF_RANGE";

}  // namespace superpose::reason
