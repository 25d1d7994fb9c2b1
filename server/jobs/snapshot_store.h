#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/artifact_table.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/database.h"
#include "superpose/v1/statistics.pb.h"

namespace superpose {

using SnapshotPage = ArtifactPage<v1::Snapshot>;

// Snapshots of statistics: a row of facts in the database, and a folder of files that is complete before the row is
// written:
//   statistics.safetensors  the tensors; metadata: format "superpose.snapshot", format_version "1", and snapshot, the
//                           whole v1::Snapshot as JSON with the proto's field names
// Immutable once added. Thread-safe; blocks on disk: not on gRPC's threads, and not on the device's. Errors beside
// those named: STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED, FILE_WRITE_FAILED.
class SnapshotStore {
 public:
  static constexpr char kAtEnd[] = "end";

  // Both must outlive this.
  SnapshotStore(const DataFolder* folder, Database* database);

  // Keeps a new snapshot; fills in name, content_hash, tensors and create_time. Tensors must be on the CPU.
  absl::StatusOr<v1::Snapshot> Add(v1::Snapshot snapshot, const TensorMap& tensors, absl::Time now,
                                   const KeepWriting& keep_writing = nullptr);
  // The same for one of a job, taken at a moment that comes once in the job's life (kAtEnd, "4096 tokens"): one of that
  // job, transcoder and moment that is there already (of a job that was killed after it) is returned in its place.
  absl::StatusOr<v1::Snapshot> AddAtMoment(v1::Snapshot snapshot, const std::string& moment, const TensorMap& tensors,
                                           absl::Time now, const KeepWriting& keep_writing = nullptr);
  // NOT_FOUND / SNAPSHOT_NOT_FOUND; INVALID_ARGUMENT / NAME_INVALID.
  absl::StatusOr<v1::Snapshot> Get(const std::string& name) { return table_.Get(name); }
  // Newest first; only those of `midcoder` or of `job` unless that is empty. INVALID_ARGUMENT / PAGE_TOKEN_INVALID;
  // CONFIG_INVALID for both.
  absl::StatusOr<SnapshotPage> List(int64_t page_size, const std::string& page_token, const std::string& midcoder,
                                    const std::string& job = "");
  // Those that a job ended with, in the order of its transcoders.
  absl::StatusOr<std::vector<v1::Snapshot>> AtEndOf(const std::string& job);
  // Of the snapshots that a job took of a transcoder by itself, deletes all but the `keep` with most tokens: one that
  // is taken anew after a crash is the newest, but not the furthest.
  absl::Status DeleteOldAutomatic(const std::string& job, const std::string& transcoder, int64_t keep);
  // The row goes first, then the files; readers that have the file mapped keep it.
  absl::Status Delete(const std::string& name);
  // Its tensors, mapped.
  absl::StatusOr<SafetensorsFile> Open(const std::string& name);

 private:
  absl::StatusOr<v1::Snapshot> Keep(v1::Snapshot snapshot, const std::string& moment, const TensorMap& tensors,
                                    absl::Time now, const KeepWriting& keep_writing);
  absl::StatusOr<std::optional<v1::Snapshot>> TakenAtMoment(const std::string& job, const std::string& moment);

  const DataFolder* const folder_;
  Database* const database_;
  const ArtifactTable<v1::Snapshot> table_;
};

}  // namespace superpose
