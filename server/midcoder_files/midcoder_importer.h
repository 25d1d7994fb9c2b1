#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/midcoder/reference_file.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/clock.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/uploads/upload_store.h"
#include "superpose/v1/midcoder.pb.h"
#include "superpose/v1/midcoder_service.pb.h"

namespace superpose {

// Makes midcoders of uploaded files: our own safetensors, and the reference's .pt, whose statistics become a snapshot.
// Thread-safe; blocks on disk and runs LibTorch: on a loading thread.
class MidcoderImporter {
 public:
  // All must outlive this.
  struct Parts {
    const ModelRegistry* registry = nullptr;
    MidcoderStore* midcoders = nullptr;
    SnapshotStore* snapshots = nullptr;
    UploadStore* uploads = nullptr;
    const Clock* clock = nullptr;
    MemoryBudget* budget = nullptr;  // null: without limit
  };
  explicit MidcoderImporter(const Parts& parts) : parts_(parts) {}

  // The upload is gone afterwards. Errors: those of UploadStore::PathOf, of the registry, of ReadReferenceMidcoder,
  // SafetensorsFile::Open and Midcoder::FromTensors; CONFIG_INVALID when the transcoder must be named; INPUT_CHANGED
  // when our own form was trained on another transcoder; REQUEST_ID_REUSED; MEMORY_EXCEEDED.
  absl::StatusOr<v1::Midcoder> Import(const v1::ImportMidcoderRequest& request, const std::string& owner);

 private:
  absl::StatusOr<v1::Midcoder> ImportNew(const v1::ImportMidcoderRequest& request, const std::string& owner);
  // Adds what is missing of what the same request made before: a server that died between a midcoder and its snapshot
  // left the upload.
  absl::Status Complete(const v1::Midcoder& midcoder, const std::string& upload);
  absl::Status AddSnapshot(const v1::Midcoder& midcoder, const ReferenceMidcoder& file);
  absl::StatusOr<v1::Midcoder> ImportReference(const std::string& path, const v1::ImportMidcoderRequest& request,
                                               const std::string& owner);
  absl::StatusOr<v1::Midcoder> ImportOwnForm(const std::string& path, const v1::ImportMidcoderRequest& request,
                                             const std::string& owner);

  const Parts parts_;
};

}  // namespace superpose
