// The reasons that the server gives beside those of lib (lib/base/error.h); all stand in
// proto/superpose/v1/errors.proto.
#pragma once

#include "absl/strings/string_view.h"

namespace superpose::reason {

inline constexpr absl::string_view kModelNotFound = "MODEL_NOT_FOUND";
inline constexpr absl::string_view kTranscoderNotFound = "TRANSCODER_NOT_FOUND";
inline constexpr absl::string_view kSelectorAmbiguous = "SELECTOR_AMBIGUOUS";
inline constexpr absl::string_view kCorpusNotFound = "CORPUS_NOT_FOUND";
inline constexpr absl::string_view kMidcoderNotFound = "MIDCODER_NOT_FOUND";
inline constexpr absl::string_view kJobNotFound = "JOB_NOT_FOUND";
inline constexpr absl::string_view kJobAlreadyFinished = "JOB_ALREADY_FINISHED";
inline constexpr absl::string_view kJobNotFinished = "JOB_NOT_FINISHED";
inline constexpr absl::string_view kJobCancelled = "JOB_CANCELLED";
inline constexpr absl::string_view kRequestIdReused = "REQUEST_ID_REUSED";
inline constexpr absl::string_view kNameInvalid = "NAME_INVALID";
inline constexpr absl::string_view kPageTokenInvalid = "PAGE_TOKEN_INVALID";
inline constexpr absl::string_view kRequestTooLarge = "REQUEST_TOO_LARGE";
inline constexpr absl::string_view kQueueFull = "QUEUE_FULL";
inline constexpr absl::string_view kShuttingDown = "SHUTTING_DOWN";
inline constexpr absl::string_view kDeadlinePassed = "DEADLINE_PASSED";
inline constexpr absl::string_view kSliceOutOfRange = "SLICE_OUT_OF_RANGE";
inline constexpr absl::string_view kDataDirInUse = "DATA_DIR_IN_USE";
inline constexpr absl::string_view kDatabaseTooNew = "DATABASE_TOO_NEW";
inline constexpr absl::string_view kStorageReadOnly = "STORAGE_READ_ONLY";
inline constexpr absl::string_view kStorageFailed = "STORAGE_FAILED";
inline constexpr absl::string_view kLeaseLost = "LEASE_LOST";
inline constexpr absl::string_view kConventionMismatch = "CONVENTION_MISMATCH";
inline constexpr absl::string_view kMemoryExceeded = "MEMORY_EXCEEDED";
inline constexpr absl::string_view kUploadNotFound = "UPLOAD_NOT_FOUND";
inline constexpr absl::string_view kUploadIncomplete = "UPLOAD_INCOMPLETE";
inline constexpr absl::string_view kUploadCorrupt = "UPLOAD_CORRUPT";
inline constexpr absl::string_view kResourceExists = "RESOURCE_EXISTS";
inline constexpr absl::string_view kResourceInUse = "RESOURCE_IN_USE";
inline constexpr absl::string_view kPathNotAllowed = "PATH_NOT_ALLOWED";
inline constexpr absl::string_view kSnapshotNotFound = "SNAPSHOT_NOT_FOUND";
inline constexpr absl::string_view kFactorizationNotFound = "FACTORIZATION_NOT_FOUND";
inline constexpr absl::string_view kArtifactNotFound = "ARTIFACT_NOT_FOUND";
inline constexpr absl::string_view kJobCrashed = "JOB_CRASHED";
inline constexpr absl::string_view kJobWithoutStatistics = "JOB_WITHOUT_STATISTICS";

}  // namespace superpose::reason
