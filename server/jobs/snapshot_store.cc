#include "server/jobs/snapshot_store.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/artifact_facts.h"
#include "server/jobs/folder.h"
#include "server/jobs/keep_artifact.h"

namespace superpose {
namespace {

std::string FileIn(const std::string& folder) { return folder + "/statistics.safetensors"; }

absl::Status WriteFile(const std::string& folder, const v1::Snapshot& snapshot, const TensorMap& tensors,
                       const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(const StringMap metadata, MetadataOf(snapshot, "snapshot"));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  return WriteSafetensors(FileIn(folder), tensors, metadata, keep_writing);
}

absl::Status Insert(sqlite3* connection, const v1::Snapshot& snapshot, const std::string& moment, absl::Time now) {
  const std::string descriptor = snapshot.SerializeAsString();
  Statement insert(connection,
                   "INSERT INTO snapshots (name, owner, midcoder, job, job_moment, descriptor, create_time) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?)",
                   snapshot.name(), snapshot.owner(), snapshot.midcoder(), snapshot.job(), moment, SqlBlob{descriptor},
                   absl::ToUnixNanos(now));
  return insert.Run();
}

}  // namespace

SnapshotStore::SnapshotStore(const DataFolder* folder, Database* database)
    : folder_(folder), database_(database), table_(database, {"snapshots", "snapshot", reason::kSnapshotNotFound}) {}

absl::StatusOr<v1::Snapshot> SnapshotStore::Add(v1::Snapshot snapshot, const TensorMap& tensors, absl::Time now,
                                                const KeepWriting& keep_writing) {
  return Keep(std::move(snapshot), /*moment=*/"", tensors, now, keep_writing);
}

absl::StatusOr<v1::Snapshot> SnapshotStore::AddAtMoment(v1::Snapshot snapshot, const std::string& moment,
                                                        const TensorMap& tensors, absl::Time now,
                                                        const KeepWriting& keep_writing) {
  // A job may have several transcoders of one layer, but each only once.
  const std::string of_transcoder = absl::StrCat(snapshot.provenance().transcoder(), ", ", moment);
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Snapshot> before, TakenAtMoment(snapshot.job(), of_transcoder));
  if (before.has_value()) return *std::move(before);
  return Keep(std::move(snapshot), of_transcoder, tensors, now, keep_writing);
}

absl::StatusOr<std::optional<v1::Snapshot>> SnapshotStore::TakenAtMoment(const std::string& job,
                                                                         const std::string& moment) {
  return table_.Find("job = ? AND job_moment = ?", job, moment);
}

absl::StatusOr<v1::Snapshot> SnapshotStore::Keep(v1::Snapshot snapshot, const std::string& moment,
                                                 const TensorMap& tensors, absl::Time now,
                                                 const KeepWriting& keep_writing) {
  SUPERPOSE_RETURN_IF_ERROR(DescribeArtifact("snapshots", tensors, now, &snapshot));
  const std::string folder = folder_->FolderOf(snapshot.name());
  SUPERPOSE_RETURN_IF_ERROR(KeepArtifact(
      folder, database_, [&] { return WriteFile(folder, snapshot, tensors, keep_writing); },
      [&](sqlite3* connection) { return Insert(connection, snapshot, moment, now); }));
  return snapshot;
}

absl::StatusOr<SnapshotPage> SnapshotStore::List(int64_t page_size, const std::string& page_token,
                                                 const std::string& midcoder, const std::string& job) {
  if (!midcoder.empty() && !job.empty()) {
    return InvalidArgument(reason::kConfigInvalid, "midcoder and job are both set: list by one of them");
  }
  if (!job.empty()) return table_.List(page_size, page_token, "job", job);
  return table_.List(page_size, page_token, midcoder.empty() ? "" : "midcoder", midcoder);
}

absl::StatusOr<std::vector<v1::Snapshot>> SnapshotStore::AtEndOf(const std::string& job) {
  using Found = absl::StatusOr<std::vector<v1::Snapshot>>;
  return database_->Transact([&](sqlite3* connection) -> Found {
    Statement select(connection,
                     "SELECT descriptor FROM snapshots WHERE job = ? AND job_moment LIKE ? ORDER BY sequence", job,
                     absl::StrCat("%, ", kAtEnd));
    std::vector<v1::Snapshot> snapshots;
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return snapshots;
      SUPERPOSE_ASSIGN_OR_RETURN(v1::Snapshot snapshot, table_.Read(select));
      snapshots.push_back(std::move(snapshot));
    }
  });
}

absl::Status SnapshotStore::DeleteOldAutomatic(const std::string& job, const std::string& transcoder, int64_t keep) {
  std::vector<std::pair<int64_t, std::string>> automatic;  // tokens, name
  std::string page_token;
  do {
    SUPERPOSE_ASSIGN_OR_RETURN(const SnapshotPage page, List(/*page_size=*/1000, page_token, /*midcoder=*/"", job));
    for (const v1::Snapshot& snapshot : page.items) {
      if (!snapshot.automatic() || snapshot.provenance().transcoder() != transcoder) continue;
      automatic.emplace_back(snapshot.tokens(), snapshot.name());
    }
    page_token = page.next_page_token;
  } while (!page_token.empty());
  std::sort(automatic.begin(), automatic.end(), std::greater<>());
  for (size_t i = static_cast<size_t>(std::max<int64_t>(keep, 0)); i < automatic.size(); ++i) {
    const absl::Status deleted = Delete(automatic[i].second);
    if (!deleted.ok() && !absl::IsNotFound(deleted)) return deleted;  // its owner may have deleted it
  }
  return absl::OkStatus();
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
