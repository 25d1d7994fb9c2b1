#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/midcoder_store.h"
#include "server/jobs/snapshot_store.h"
#include "superpose/v1/midcoder_service.pb.h"

namespace superpose {

// Midcoders as files to take away. Thread-safe; blocks on disk and runs LibTorch: on a loading thread.
class MidcoderExporter {
 public:
  // All must outlive this.
  MidcoderExporter(const DataFolder* folder, MidcoderStore* midcoders, SnapshotStore* snapshots)
      : folder_(folder), midcoders_(midcoders), snapshots_(snapshots) {}

  // The same request gives the same bytes. Errors: those of the stores; CONFIG_INVALID for an unknown format, or for a
  // snapshot that is another midcoder's or asked for in our own form; STORAGE_FULL.
  absl::StatusOr<std::shared_ptr<const MappedFile>> Export(const v1::ExportMidcoderRequest& request);

 private:
  absl::StatusOr<std::shared_ptr<const MappedFile>> WriteReference(const v1::ExportMidcoderRequest& request);

  const DataFolder* const folder_;
  MidcoderStore* const midcoders_;
  SnapshotStore* const snapshots_;
};

}  // namespace superpose
