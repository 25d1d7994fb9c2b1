#include "server/jobs/midcoder_store.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/artifact_facts.h"
#include "server/jobs/folder.h"
#include "server/jobs/history_file.h"
#include "server/jobs/keep_artifact.h"
#include "server/jobs/statement.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

std::string WeightsIn(const std::string& folder) { return folder + "/weights.safetensors"; }
HistoryFile HistoryIn(const std::string& folder) { return HistoryFile(folder + "/history.bin"); }

absl::Status Insert(sqlite3* connection, const v1::Midcoder& midcoder, const ArtifactRequest& request, absl::Time now) {
  const std::string descriptor = midcoder.SerializeAsString();
  Statement insert(connection,
                   "INSERT INTO midcoders (name, owner, job, layer, job_result, request_id, request_hash, descriptor, "
                   "create_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   midcoder.name(), midcoder.owner(), midcoder.job(), midcoder.layer(), midcoder.job_result(),
                   request.id, request.hash, SqlBlob{descriptor}, absl::ToUnixNanos(now));
  return insert.Run();
}

absl::Status WriteFiles(const std::string& folder, const v1::Midcoder& midcoder, const TensorMap& tensors,
                        const std::vector<StepLoss>& history, const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(const StringMap metadata, MetadataOf(midcoder, "midcoder"));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  SUPERPOSE_RETURN_IF_ERROR(HistoryIn(folder).Append(history));
  return WriteSafetensors(WeightsIn(folder), tensors, metadata, keep_writing);
}

void AddRecord(const StepLoss& record, v1::TrainingHistory* history) {
  history->add_step(record.step);
  history->add_lr(record.lr);
  history->add_loss(record.loss);
  history->add_mse_mid(record.mse_mid);
  history->add_mse_out(record.mse_out);
  history->add_mse_out_transcoder(record.mse_out_transcoder);
}

// The token of a page of history is the number of records before the page.
absl::StatusOr<int64_t> RecordsBefore(const std::string& page_token) {
  int64_t records = 0;
  if (page_token.empty() || (absl::SimpleAtoi(page_token, &records) && records > 0)) return records;
  return InvalidArgument(reason::kPageTokenInvalid, "page_token did not come from this server");
}

}  // namespace

MidcoderStore::MidcoderStore(const DataFolder* folder, Database* database)
    : folder_(folder), database_(database), table_(database, {"midcoders", "midcoder", reason::kMidcoderNotFound}) {}

absl::StatusOr<v1::Midcoder> MidcoderStore::Add(v1::Midcoder midcoder, const TensorMap& tensors,
                                                const std::vector<StepLoss>& history, absl::Time now,
                                                const KeepWriting& keep_writing) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Midcoder> before, MadeByJob(midcoder));
  if (before.has_value()) return *std::move(before);
  return Keep(std::move(midcoder), tensors, history, {}, now, keep_writing);
}

absl::StatusOr<v1::Midcoder> MidcoderStore::AddImported(v1::Midcoder midcoder, const TensorMap& tensors,
                                                        const ArtifactRequest& request, absl::Time now) {
  return Keep(std::move(midcoder), tensors, {}, request, now, nullptr);
}

absl::StatusOr<v1::Midcoder> MidcoderStore::Keep(v1::Midcoder midcoder, const TensorMap& tensors,
                                                 const std::vector<StepLoss>& history, const ArtifactRequest& request,
                                                 absl::Time now, const KeepWriting& keep_writing) {
  SUPERPOSE_RETURN_IF_ERROR(DescribeArtifact("midcoders", tensors, now, &midcoder));
  const std::string folder = folder_->FolderOf(midcoder.name());
  SUPERPOSE_RETURN_IF_ERROR(KeepArtifact(
      folder, database_, [&] { return WriteFiles(folder, midcoder, tensors, history, keep_writing); },
      [&](sqlite3* connection) { return Insert(connection, midcoder, request, now); }));
  return midcoder;
}

absl::StatusOr<std::optional<v1::Midcoder>> MidcoderStore::MadeByJob(const v1::Midcoder& midcoder) {
  if (midcoder.job().empty()) return std::nullopt;
  return table_.Find("job = ? AND layer = ? AND job_result = ?", midcoder.job(), midcoder.layer(),
                     midcoder.job_result());
}

absl::Status MidcoderStore::Delete(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(table_.Delete(name));
  // The midcoder is gone, whatever happens to its files now: what cannot be removed, the sweep at the next start
  // removes.
  RemoveAll(folder_->FolderOf(name)).IgnoreError();
  return absl::OkStatus();
}

absl::StatusOr<HistoryPage> MidcoderStore::History(const std::string& name, int64_t page_size,
                                                   const std::string& page_token) {
  SUPERPOSE_RETURN_IF_ERROR(Get(name).status());
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t skip, RecordsBefore(page_token));
  const int64_t size = BoundedPageSize(page_size);
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<StepLoss> records, HistoryIn(folder_->FolderOf(name)).Read(skip, size + 1));
  HistoryPage page;
  if (static_cast<int64_t>(records.size()) > size) {
    records.resize(static_cast<size_t>(size));
    page.next_page_token = absl::StrCat(skip + size);
  }
  for (const StepLoss& record : records) AddRecord(record, &page.history);
  return page;
}

absl::StatusOr<SafetensorsFile> MidcoderStore::Open(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(Get(name).status());
  return SafetensorsFile::Open(WeightsIn(folder_->FolderOf(name)));
}

absl::StatusOr<std::shared_ptr<const MappedFile>> MidcoderStore::OpenFile(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(Get(name).status());
  return MappedFile::Open(WeightsIn(folder_->FolderOf(name)));
}

}  // namespace superpose
