#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/factorization_store.h"
#include "server/runtime/clock.h"
#include "server/runtime/memory_budget.h"
#include "server/uploads/upload_store.h"
#include "superpose/v1/factorization.pb.h"
#include "superpose/v1/factorization_service.pb.h"

namespace superpose {

// Makes factorizations of uploaded files: our own safetensors, which come back with all that they hold, labels too, and
// the reference's .pt, of which there are only factors. No model need be loaded. Thread-safe; blocks on disk and runs
// LibTorch: on a loading thread.
class FactorizationImporter {
 public:
  // All must outlive this.
  struct Parts {
    FactorizationStore* factorizations = nullptr;
    UploadStore* uploads = nullptr;
    const Clock* clock = nullptr;
    MemoryBudget* budget = nullptr;  // null: without limit
  };
  explicit FactorizationImporter(const Parts& parts) : parts_(parts) {}

  // The upload is gone afterwards. Errors: those of UploadStore::PathOf, ReadReferenceFactors, SafetensorsFile::Open,
  // ReadDescription, CheckFactorizationTensors and CheckLabels (the file's and the request's, which go first);
  // FILE_CORRUPT when the tensors are not those that were described; REQUEST_ID_REUSED; MEMORY_EXCEEDED.
  absl::StatusOr<v1::Factorization> Import(const v1::ImportFactorizationRequest& request, const std::string& owner);

 private:
  struct Content {
    v1::Factorization facts;
    TensorMap tensors;
  };
  absl::StatusOr<v1::Factorization> ImportNew(const v1::ImportFactorizationRequest& request, const std::string& owner,
                                              const ArtifactRequest& id);
  static absl::StatusOr<Content> ReadReference(const std::string& path);
  static absl::StatusOr<Content> ReadOwnForm(const std::string& path);

  const Parts parts_;
};

}  // namespace superpose
