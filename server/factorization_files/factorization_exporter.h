#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/factorization_store.h"
#include "superpose/v1/factorization_service.pb.h"

namespace superpose {

// Factorizations as files to take away. Thread-safe; blocks on disk: on a loading thread.
class FactorizationExporter {
 public:
  // Both must outlive this.
  FactorizationExporter(const DataFolder* folder, FactorizationStore* factorizations)
      : folder_(folder), factorizations_(factorizations) {}

  // The same request gives the same bytes. Errors: those of the store; CONFIG_INVALID for an unknown format;
  // STORAGE_FULL.
  absl::StatusOr<std::shared_ptr<const MappedFile>> Export(const v1::ExportFactorizationRequest& request);

 private:
  absl::StatusOr<std::shared_ptr<const MappedFile>> WriteReference(const std::string& name);

  const DataFolder* const folder_;
  FactorizationStore* const factorizations_;
};

}  // namespace superpose
