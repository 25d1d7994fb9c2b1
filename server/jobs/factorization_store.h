#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mapped_file.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/artifact_table.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/database.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose {

using FactorizationPage = ArtifactPage<v1::Factorization>;

// Factorizations of decoders: a row of facts in the database, and a folder of files that is complete before the row is
// written:
//   factorization.safetensors  the tensors that factorization.proto names; metadata: format "superpose.factorization",
//                              format_version "1", and factorization, the whole v1::Factorization as JSON with the
//                              proto's field names
// Immutable once added. Thread-safe; blocks on disk: not on gRPC's threads, and not on the device's. Errors beside
// those named: STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED, FILE_WRITE_FAILED.
class FactorizationStore {
 public:
  // Both must outlive this.
  FactorizationStore(const DataFolder* folder, Database* database);

  // Keeps a new factorization; fills in name, content_hash, tensors and create_time. Tensors must be on the CPU. One of
  // the same job that is there already (of a job that was killed after it) is returned in its place.
  absl::StatusOr<v1::Factorization> Add(v1::Factorization factorization, const TensorMap& tensors, absl::Time now,
                                        const KeepWriting& keep_writing = nullptr);
  absl::StatusOr<v1::Factorization> AddImported(v1::Factorization factorization, const TensorMap& tensors,
                                                const ArtifactRequest& request, absl::Time now);
  // The one that this request made, if it did. ALREADY_EXISTS / REQUEST_ID_REUSED when it was another request.
  absl::StatusOr<std::optional<v1::Factorization>> MadeByRequest(const std::string& owner,
                                                                 const ArtifactRequest& request);
  // NOT_FOUND / FACTORIZATION_NOT_FOUND; INVALID_ARGUMENT / NAME_INVALID.
  absl::StatusOr<v1::Factorization> Get(const std::string& name) { return table_.Get(name); }
  // Newest first. INVALID_ARGUMENT / PAGE_TOKEN_INVALID.
  absl::StatusOr<FactorizationPage> List(int64_t page_size, const std::string& page_token) {
    return table_.List(page_size, page_token);
  }
  // The row goes first, then the files; readers that have the file mapped keep it.
  absl::Status Delete(const std::string& name);
  // Its tensors, mapped.
  absl::StatusOr<SafetensorsFile> Open(const std::string& name);
  // Its file, as it is exported.
  absl::StatusOr<std::shared_ptr<const MappedFile>> OpenFile(const std::string& name);

 private:
  absl::StatusOr<v1::Factorization> Keep(v1::Factorization factorization, const TensorMap& tensors,
                                         const ArtifactRequest& request, absl::Time now,
                                         const KeepWriting& keep_writing);
  absl::StatusOr<std::optional<v1::Factorization>> MadeByJob(const std::string& job);

  const DataFolder* const folder_;
  Database* const database_;
  const ArtifactTable<v1::Factorization> table_;
};

}  // namespace superpose
