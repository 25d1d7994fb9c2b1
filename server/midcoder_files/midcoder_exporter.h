#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"
#include "lib/midcoder/reference_file.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "server/runtime/memory_budget.h"
#include "superpose/v1/midcoder_service.pb.h"

namespace superpose {

// Midcoders as files to take away. Thread-safe; blocks on disk and runs LibTorch: on a loading thread.
class MidcoderExporter {
 public:
  // All must outlive this. `budget` may be null: without limit.
  MidcoderExporter(const DataFolder* folder, MidcoderStore* midcoders, SnapshotStore* snapshots,
                   MemoryBudget* budget = nullptr)
      : folder_(folder), midcoders_(midcoders), snapshots_(snapshots), budget_(budget) {}

  // The same request gives the same bytes. Errors: those of the stores; CONFIG_INVALID for an unknown format, or for a
  // snapshot that is another midcoder's or asked for in our own form; those of ReferenceStatistics; STORAGE_FULL;
  // MEMORY_EXCEEDED.
  absl::StatusOr<std::shared_ptr<const MappedFile>> Export(const v1::ExportMidcoderRequest& request);

 private:
  absl::StatusOr<std::shared_ptr<const MappedFile>> WriteReference(const v1::ExportMidcoderRequest& request);
  // Puts the sums of a snapshot of this midcoder into the file; what they take is reserved as long as the result lives.
  absl::StatusOr<MemoryReservation> AddStatistics(const v1::ExportMidcoderRequest& request, ReferenceMidcoder* file);
  // For them as the reference has them.
  absl::StatusOr<MemoryReservation> Reserve(const TensorMap& statistics) const;

  const DataFolder* const folder_;
  MidcoderStore* const midcoders_;
  SnapshotStore* const snapshots_;
  MemoryBudget* const budget_;
};

}  // namespace superpose
