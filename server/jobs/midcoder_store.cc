#include "server/jobs/midcoder_store.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/content_hash.h"
#include "server/jobs/folder.h"
#include "server/jobs/history_file.h"
#include "server/jobs/newest_first.h"
#include "server/jobs/resource_id.h"
#include "server/jobs/statement.h"
#include "server/runtime/reasons.h"
#include "server/runtime/tensor_info.h"

namespace superpose {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kRoom[] = "midcoders/";

std::string WeightsIn(const std::string& folder) { return folder + "/weights.safetensors"; }
HistoryFile HistoryIn(const std::string& folder) { return HistoryFile(folder + "/history.bin"); }

absl::Status CheckName(const std::string& name) {
  absl::string_view id = name;
  const bool right = absl::ConsumePrefix(&id, kRoom) && !id.empty() && !absl::StrContains(id, '/');
  return right ? absl::OkStatus()
               : InvalidArgument(reason::kNameInvalid, "\"", name, "\" must be ", kRoom, "{midcoder}");
}

absl::Status NoSuchMidcoder(const std::string& name) {
  return NotFound(reason::kMidcoderNotFound, "there is no midcoder \"", name, "\"");
}

// From column 0, the descriptor.
absl::StatusOr<v1::Midcoder> ReadMidcoder(const Statement& row) {
  v1::Midcoder midcoder;
  if (midcoder.ParseFromString(row.Text(0))) return midcoder;
  return Error(absl::StatusCode::kDataLoss, reason::kFileCorrupt, "a midcoder's row in the database cannot be read");
}

absl::StatusOr<std::optional<v1::Midcoder>> MadeBy(sqlite3* connection, const std::string& job, int32_t layer) {
  if (job.empty()) return std::nullopt;
  Statement select(connection, "SELECT descriptor FROM midcoders WHERE job = ? AND layer = ?", job, layer);
  SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return std::nullopt;
  return ReadMidcoder(select);
}

absl::Status Insert(sqlite3* connection, const v1::Midcoder& midcoder, absl::Time now) {
  const std::string descriptor = midcoder.SerializeAsString();
  Statement insert(
      connection, "INSERT INTO midcoders (name, owner, job, layer, descriptor, create_time) VALUES (?, ?, ?, ?, ?, ?)",
      midcoder.name(), midcoder.owner(), midcoder.job(), midcoder.layer(), SqlBlob{descriptor}, absl::ToUnixNanos(now));
  return insert.Run();
}

absl::StatusOr<StringMap> MetadataOf(const v1::Midcoder& midcoder) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(midcoder, &json, options);
  if (!printed.ok()) return InternalError(reason::kStorageFailed, "the midcoder's facts cannot be written as JSON");
  return StringMap{{"format", "superpose.midcoder"}, {"format_version", "1"}, {"midcoder", std::move(json)}};
}

absl::Status Describe(const TensorMap& tensors, absl::Time now, v1::Midcoder* midcoder) {
  midcoder->set_name(absl::StrCat(kRoom, NewResourceId()));
  *midcoder->mutable_create_time() = TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(now));
  midcoder->clear_tensors();
  for (const auto& [name, tensor] : tensors) *midcoder->add_tensors() = DescribeTensor(name, tensor);
  return CatchTorch([&] {
    midcoder->set_content_hash(ContentHash(tensors));
    return absl::OkStatus();
  });
}

absl::Status WriteFiles(const std::string& folder, const v1::Midcoder& midcoder, const TensorMap& tensors,
                        const std::vector<StepLoss>& history) {
  SUPERPOSE_ASSIGN_OR_RETURN(const StringMap metadata, MetadataOf(midcoder));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  SUPERPOSE_RETURN_IF_ERROR(HistoryIn(folder).Append(history));
  return WriteSafetensors(WeightsIn(folder), tensors, metadata);
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

absl::StatusOr<v1::Midcoder> MidcoderStore::Add(v1::Midcoder midcoder, const TensorMap& tensors,
                                                const std::vector<StepLoss>& history, absl::Time now) {
  auto made_before = [&](sqlite3* connection) { return MadeBy(connection, midcoder.job(), midcoder.layer()); };
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Midcoder> before, database_->Transact(made_before));
  if (before.has_value()) return *std::move(before);
  SUPERPOSE_RETURN_IF_ERROR(Describe(tensors, now, &midcoder));
  const std::string folder = folder_->FolderOf(midcoder.name());
  absl::Status status = WriteFiles(folder, midcoder, tensors, history);
  if (status.ok()) status = database_->Transact([&](sqlite3* connection) { return Insert(connection, midcoder, now); });
  if (status.ok()) return midcoder;
  RemoveAll(folder).IgnoreError();  // else the sweep at the next start does
  return status;
}

absl::StatusOr<v1::Midcoder> MidcoderStore::Get(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<v1::Midcoder> {
    Statement select(connection, "SELECT descriptor FROM midcoders WHERE name = ?", name);
    SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
    if (!found) return NoSuchMidcoder(name);
    return ReadMidcoder(select);
  });
}

absl::StatusOr<MidcoderPage> MidcoderStore::List(int64_t page_size, const std::string& page_token) {
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t before, SequenceBefore(page_token));
  const int64_t size = BoundedPageSize(page_size);
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<MidcoderPage> {
    Statement select(connection,
                     "SELECT descriptor, sequence FROM midcoders WHERE sequence < ? ORDER BY sequence DESC LIMIT ?",
                     before, size + 1);
    MidcoderPage page;
    int64_t last = 0;
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return page;
      if (static_cast<int64_t>(page.midcoders.size()) == size) break;
      SUPERPOSE_ASSIGN_OR_RETURN(v1::Midcoder midcoder, ReadMidcoder(select));
      page.midcoders.push_back(std::move(midcoder));
      last = select.Int(1);
    }
    page.next_page_token = absl::StrCat(last);
    return page;
  });
}

absl::Status MidcoderStore::Delete(const std::string& name) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName(name));
  SUPERPOSE_RETURN_IF_ERROR(database_->Transact([&](sqlite3* connection) -> absl::Status {
    SUPERPOSE_RETURN_IF_ERROR(Statement(connection, "DELETE FROM midcoders WHERE name = ?", name).Run());
    return sqlite3_changes(connection) > 0 ? absl::OkStatus() : NoSuchMidcoder(name);
  }));
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

}  // namespace superpose
