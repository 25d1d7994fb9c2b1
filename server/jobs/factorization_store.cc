#include "server/jobs/factorization_store.h"

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/artifact_facts.h"
#include "server/jobs/folder.h"
#include "server/jobs/keep_artifact.h"
#include "server/jobs/statement.h"

namespace superpose {
namespace {

std::string FileIn(const std::string& folder) { return folder + "/factorization.safetensors"; }

absl::Status WriteFile(const std::string& folder, const v1::Factorization& factorization, const TensorMap& tensors,
                       const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(const StringMap metadata, MetadataOf(factorization, "factorization"));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  return WriteSafetensors(FileIn(folder), tensors, metadata, keep_writing);
}

absl::Status Insert(sqlite3* connection, const v1::Factorization& factorization, const ArtifactRequest& request,
                    absl::Time now) {
  const std::string descriptor = factorization.SerializeAsString();
  Statement insert(connection,
                   "INSERT INTO factorizations (name, owner, job, request_id, request_hash, descriptor, create_time) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?)",
                   factorization.name(), factorization.owner(), factorization.job(), request.id, request.hash,
                   SqlBlob{descriptor}, absl::ToUnixNanos(now));
  return insert.Run();
}

}  // namespace

FactorizationStore::FactorizationStore(const DataFolder* folder, Database* database)
    : folder_(folder),
      database_(database),
      table_(database, {"factorizations", "factorization", reason::kFactorizationNotFound}) {}

absl::StatusOr<v1::Factorization> FactorizationStore::Add(v1::Factorization factorization, const TensorMap& tensors,
                                                          absl::Time now, const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Factorization> before, MadeByJob(factorization.job()));
  if (before.has_value()) return *std::move(before);
  return Keep(std::move(factorization), tensors, {}, now, keep_writing);
}

absl::StatusOr<v1::Factorization> FactorizationStore::AddImported(v1::Factorization factorization,
                                                                  const TensorMap& tensors,
                                                                  const ArtifactRequest& request, absl::Time now) {
  return Keep(std::move(factorization), tensors, request, now, nullptr);
}

absl::StatusOr<v1::Factorization> FactorizationStore::Keep(v1::Factorization factorization, const TensorMap& tensors,
                                                           const ArtifactRequest& request, absl::Time now,
                                                           const KeepWriting& keep_writing) {
  SUPERPOSE_RETURN_IF_ERROR(DescribeArtifact("factorizations", tensors, now, &factorization));
  const std::string folder = folder_->FolderOf(factorization.name());
  SUPERPOSE_RETURN_IF_ERROR(KeepArtifact(
      folder, database_, [&] { return WriteFile(folder, factorization, tensors, keep_writing); },
      [&](sqlite3* connection) { return Insert(connection, factorization, request, now); }));
  return factorization;
}

absl::StatusOr<std::optional<v1::Factorization>> FactorizationStore::MadeByJob(const std::string& job) {
  if (job.empty()) return std::nullopt;
  return table_.Find("job = ?", job);
}

absl::StatusOr<std::optional<v1::Factorization>> FactorizationStore::MadeByRequest(const std::string& owner,
                                                                                   const ArtifactRequest& request) {
  return table_.MadeByRequest(owner, request);
}

absl::Status FactorizationStore::Delete(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(table_.Delete(name));
  RemoveAll(folder_->FolderOf(name)).IgnoreError();  // else the sweep at the next start does
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsFile> FactorizationStore::Open(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(Get(name).status());
  return SafetensorsFile::Open(FileIn(folder_->FolderOf(name)));
}

absl::StatusOr<std::shared_ptr<const MappedFile>> FactorizationStore::OpenFile(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(Get(name).status());
  return MappedFile::Open(FileIn(folder_->FolderOf(name)));
}

}  // namespace superpose
