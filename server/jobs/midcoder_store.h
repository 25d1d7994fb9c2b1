#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mapped_file.h"
#include "lib/midcoder/trainer.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/artifact_table.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/database.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose {

using MidcoderPage = ArtifactPage<v1::Midcoder>;

struct HistoryPage {
  v1::TrainingHistory history;
  std::string next_page_token;  // empty at the end
};

// Trained midcoders: a row of facts in the database, and a folder of files that is complete before the row is written:
//   weights.safetensors  W_mid, b_mid, b_mid_out; metadata: format "superpose.midcoder", format_version "1", and
//                        midcoder, the whole v1::Midcoder (provenance, training spec, content hash, ..) as JSON with
//                        the proto's field names
//   history.bin          its losses, step by step (history_file.h); not there when there are none
// Thread-safe; blocks on disk: not on gRPC's threads, and not on the device's. Errors beside those named: STORAGE_FULL,
// STORAGE_READ_ONLY, STORAGE_FAILED, FILE_WRITE_FAILED.
class MidcoderStore {
 public:
  // Both must outlive this.
  MidcoderStore(const DataFolder* folder, Database* database);

  // Keeps a new midcoder; fills in name, content_hash, tensors and create_time of `midcoder`. A midcoder of the same
  // job, layer and job_result that is there already (a job that was killed between this and its end) is returned in its
  // place. Tensors must be on the CPU; `history` holds the losses of its layer. An error of `keep_writing`, which is
  // asked between tensors, ends it.
  absl::StatusOr<v1::Midcoder> Add(v1::Midcoder midcoder, const TensorMap& tensors,
                                   const std::vector<StepLoss>& history, absl::Time now,
                                   const KeepWriting& keep_writing = nullptr);
  // The same for one that was imported, which has no history.
  absl::StatusOr<v1::Midcoder> AddImported(v1::Midcoder midcoder, const TensorMap& tensors,
                                           const ArtifactRequest& request, absl::Time now);
  // What this owner's request made before; nothing when it made nothing or has no id. ALREADY_EXISTS /
  // REQUEST_ID_REUSED when another request had the id.
  absl::StatusOr<std::optional<v1::Midcoder>> MadeByRequest(const std::string& owner, const ArtifactRequest& request) {
    return table_.MadeByRequest(owner, request);
  }

  // NOT_FOUND / MIDCODER_NOT_FOUND; INVALID_ARGUMENT / NAME_INVALID.
  absl::StatusOr<v1::Midcoder> Get(const std::string& name) { return table_.Get(name); }
  // Newest first. INVALID_ARGUMENT / PAGE_TOKEN_INVALID.
  absl::StatusOr<MidcoderPage> List(int64_t page_size, const std::string& page_token) {
    return table_.List(page_size, page_token);
  }
  // The row goes first, then the files; readers that have the file mapped keep it.
  absl::Status Delete(const std::string& name);
  absl::StatusOr<HistoryPage> History(const std::string& name, int64_t page_size, const std::string& page_token);
  // Its weights, mapped: W_mid, b_mid, b_mid_out.
  absl::StatusOr<SafetensorsFile> Open(const std::string& name);
  // The whole file of weights, mapped.
  absl::StatusOr<std::shared_ptr<const MappedFile>> OpenFile(const std::string& name);

 private:
  absl::StatusOr<v1::Midcoder> Keep(v1::Midcoder midcoder, const TensorMap& tensors,
                                    const std::vector<StepLoss>& history, const ArtifactRequest& request,
                                    absl::Time now, const KeepWriting& keep_writing);
  absl::StatusOr<std::optional<v1::Midcoder>> MadeByJob(const v1::Midcoder& midcoder);

  const DataFolder* const folder_;
  Database* const database_;
  const ArtifactTable<v1::Midcoder> table_;
};

}  // namespace superpose
