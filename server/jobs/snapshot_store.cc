#include "server/jobs/snapshot_store.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "server/jobs/artifact_facts.h"
#include "server/jobs/folder.h"

namespace superpose {
namespace {

std::string FileIn(const std::string& folder) { return folder + "/statistics.safetensors"; }

absl::Status WriteFile(const std::string& folder, const v1::Snapshot& snapshot, const TensorMap& tensors) {
  SUPERPOSE_ASSIGN_OR_RETURN(const StringMap metadata, MetadataOf(snapshot, "snapshot"));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  return WriteSafetensors(FileIn(folder), tensors, metadata);
}

absl::Status Insert(sqlite3* connection, const v1::Snapshot& snapshot, absl::Time now) {
  const std::string descriptor = snapshot.SerializeAsString();
  Statement insert(connection,
                   "INSERT INTO snapshots (name, owner, midcoder, descriptor, create_time) VALUES (?, ?, ?, ?, ?)",
                   snapshot.name(), snapshot.owner(), snapshot.midcoder(), SqlBlob{descriptor}, absl::ToUnixNanos(now));
  return insert.Run();
}

}  // namespace

SnapshotStore::SnapshotStore(const DataFolder* folder, Database* database)
    : folder_(folder), database_(database), table_(database, {"snapshots", "snapshot", reason::kSnapshotNotFound}) {}

absl::StatusOr<v1::Snapshot> SnapshotStore::Add(v1::Snapshot snapshot, const TensorMap& tensors, absl::Time now) {
  SUPERPOSE_RETURN_IF_ERROR(DescribeArtifact("snapshots", tensors, now, &snapshot));
  const std::string folder = folder_->FolderOf(snapshot.name());
  absl::Status status = WriteFile(folder, snapshot, tensors);
  if (status.ok()) status = database_->Transact([&](sqlite3* connection) { return Insert(connection, snapshot, now); });
  if (status.ok()) return snapshot;
  RemoveAll(folder).IgnoreError();  // else the sweep at the next start does
  return status;
}

absl::StatusOr<SnapshotPage> SnapshotStore::List(int64_t page_size, const std::string& page_token,
                                                 const std::string& midcoder) {
  return table_.List(page_size, page_token, midcoder.empty() ? "" : "midcoder", midcoder);
}

absl::Status SnapshotStore::Delete(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(table_.Delete(name));
  RemoveAll(folder_->FolderOf(name)).IgnoreError();  // else the sweep at the next start does
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsFile> SnapshotStore::Open(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(Get(name).status());
  return SafetensorsFile::Open(FileIn(folder_->FolderOf(name)));
}

}  // namespace superpose
