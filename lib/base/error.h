// Errors with a stable reason: an absl::Status whose message says what was wrong and what would be right, and whose
// reason (UPPER_SNAKE, one of those in proto/superpose/v1/errors.proto) a program can act on.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace superpose {

absl::Status Error(absl::StatusCode code, absl::string_view reason, absl::string_view message);

// The reason that Error() attached, or "" when there is none.
std::string ReasonOf(const absl::Status& status);

// The same error with `context` and a colon before its message.
absl::Status WithContext(const absl::Status& status, absl::string_view context);

template <typename... Parts>
absl::Status InvalidArgument(absl::string_view reason, const Parts&... parts) {
  return Error(absl::StatusCode::kInvalidArgument, reason, absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status NotFound(absl::string_view reason, const Parts&... parts) {
  return Error(absl::StatusCode::kNotFound, reason, absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status FailedPrecondition(absl::string_view reason, const Parts&... parts) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status ResourceExhausted(absl::string_view reason, const Parts&... parts) {
  return Error(absl::StatusCode::kResourceExhausted, reason, absl::StrCat(parts...));
}
template <typename... Parts>
absl::Status InternalError(absl::string_view reason, const Parts&... parts) {
  return Error(absl::StatusCode::kInternal, reason, absl::StrCat(parts...));
}

// Every reason that lib can give. The server maps them to the proto enum of the same names.
namespace reason {
inline constexpr absl::string_view kFileNotFound = "FILE_NOT_FOUND";
inline constexpr absl::string_view kFileCorrupt = "FILE_CORRUPT";
inline constexpr absl::string_view kFileUnsupported = "FILE_UNSUPPORTED";
inline constexpr absl::string_view kFileWriteFailed = "FILE_WRITE_FAILED";
inline constexpr absl::string_view kStorageFull = "STORAGE_FULL";
inline constexpr absl::string_view kTensorMissing = "TENSOR_MISSING";
inline constexpr absl::string_view kTensorShapeMismatch = "TENSOR_SHAPE_MISMATCH";
inline constexpr absl::string_view kTensorNotFinite = "TENSOR_NOT_FINITE";
inline constexpr absl::string_view kModelUnsupported = "MODEL_UNSUPPORTED";
inline constexpr absl::string_view kTranscoderUnsupported = "TRANSCODER_UNSUPPORTED";
inline constexpr absl::string_view kTranscoderMismatch = "TRANSCODER_MISMATCH";
inline constexpr absl::string_view kLayerOutOfRange = "LAYER_OUT_OF_RANGE";
inline constexpr absl::string_view kFeatureOutOfRange = "FEATURE_OUT_OF_RANGE";
inline constexpr absl::string_view kTokenOutOfRange = "TOKEN_OUT_OF_RANGE";
inline constexpr absl::string_view kEmptyInput = "EMPTY_INPUT";
inline constexpr absl::string_view kContextExceeded = "CONTEXT_EXCEEDED";
inline constexpr absl::string_view kInvalidUtf8 = "INVALID_UTF8";
inline constexpr absl::string_view kTokenizerMissing = "TOKENIZER_MISSING";
inline constexpr absl::string_view kTokenizerUnsupported = "TOKENIZER_UNSUPPORTED";
inline constexpr absl::string_view kCorpusTooSmall = "CORPUS_TOO_SMALL";
inline constexpr absl::string_view kConfigInvalid = "CONFIG_INVALID";
inline constexpr absl::string_view kInputChanged = "INPUT_CHANGED";
inline constexpr absl::string_view kOutOfMemory = "OUT_OF_MEMORY";
inline constexpr absl::string_view kDeviceUnavailable = "DEVICE_UNAVAILABLE";
inline constexpr absl::string_view kComputeFailed = "COMPUTE_FAILED";
inline constexpr absl::string_view kTrainingDiverged = "TRAINING_DIVERGED";
inline constexpr absl::string_view kSnapshotTensorMissing = "SNAPSHOT_TENSOR_MISSING";
inline constexpr absl::string_view kSnapshotMismatch = "SNAPSHOT_MISMATCH";
inline constexpr absl::string_view kSnapshotsOverlap = "SNAPSHOTS_OVERLAP";
inline constexpr absl::string_view kEmptySelection = "EMPTY_SELECTION";
inline constexpr absl::string_view kFrequenciesMissing = "FREQUENCIES_MISSING";
}  // namespace reason

}  // namespace superpose
