#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/backoff.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/upload_source.h"
#include "proto/crc32c.h"

namespace superpose::client {
namespace {

using CorpusStub = v1::CorpusService::Stub;
using UploadStub = v1::UploadService::Stub;

constexpr int64_t kPieceBytes = int64_t{1} << 20;
// Time without a new byte after which an upload is given up. Longer than the server waits for a writer that vanished.
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kMostCorrupt = 2;

// One upload: what is sent, and how far the server has it.
struct Sending {
  const Connection* connection;
  UploadSource* source;
  std::string name;
  const UploadProgress* on_progress;
  absl::Time deadline;
  int64_t committed = 0;
  bool complete = false;

  void Stands(int64_t bytes) {
    committed = bytes;
    if (*on_progress) (*on_progress)(bytes, source->size());
  }
};

// Asks where the server stands.
absl::Status AskWhere(Sending* sending) {
  v1::GetUploadRequest request;
  request.set_name(sending->name);
  const auto response = sending->connection->Call(sending->connection->uploads.get(), &UploadStub::GetUpload, request);
  if (!response.ok() && ReasonOf(response.status()) != "UPLOAD_NOT_FOUND") return response.status();
  const int64_t size = sending->source->size();
  const bool is_ours = response.ok() && response->upload().size_bytes() == size;
  sending->Stands(is_ours ? response->upload().committed_bytes() : 0);
  sending->complete = is_ours && sending->committed == size;
  return absl::OkStatus();
}

absl::Status FillPiece(const Sending& sending, int64_t offset, v1::WriteUploadRequest* piece) {
  const int64_t size = std::min(kPieceBytes, sending.source->size() - offset);
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(sending.source->Read(offset, size, piece->mutable_data()));
  piece->set_offset(offset);
  piece->set_crc32c(Crc32c(piece->data()));
  return absl::OkStatus();
}

// Sends all from where the server stands, in one stream. Returns how it ended.
absl::Status SendRest(Sending* sending) {
  grpc::ClientContext context;
  sending->connection->Prepare(sending->deadline, &context);
  v1::WriteUploadResponse response;
  const auto writer = sending->connection->uploads->WriteUpload(&context, &response);
  v1::WriteUploadRequest piece;
  piece.set_name(sending->name);
  piece.set_size_bytes(sending->source->size());
  absl::Status status;
  int64_t offset = sending->committed;
  do {
    status = FillPiece(*sending, offset, &piece);
    if (!status.ok() || !writer->Write(piece)) break;
    offset += static_cast<int64_t>(piece.data().size());
    sending->Stands(offset);
    piece.clear_name();
    piece.clear_size_bytes();
  } while (offset < sending->source->size());
  if (!status.ok()) context.TryCancel();
  writer->WritesDone();
  const grpc::Status end = writer->Finish();
  if (!status.ok()) return status;
  sending->complete = end.ok() && response.upload().committed_bytes() == sending->source->size();
  return sending->connection->StatusOf(end);
}

bool MayGoOn(const absl::Status& status) {
  return absl::IsUnavailable(status) || ReasonOf(status) == "UPLOAD_INCOMPLETE" || ReasonOf(status) == "UPLOAD_CORRUPT";
}

absl::StatusOr<std::string> Send(Sending sending) {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(sending.name, UploadName(sending.source));
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2));
  absl::Time last_progress = absl::Now();
  int64_t furthest = -1;
  int corrupt = 0;
  while (true) {
    absl::Status status = AskWhere(&sending);
    if (status.ok() && sending.committed > furthest) {
      furthest = sending.committed;
      last_progress = absl::Now();
      backoff.Reset();
    }
    if (status.ok() && !sending.complete) status = SendRest(&sending);
    if (sending.complete) return sending.name;
    if (!status.ok() && !MayGoOn(status)) return status;
    if (ReasonOf(status) == "UPLOAD_CORRUPT" && ++corrupt == kMostCorrupt) return status;
    if (absl::Now() - last_progress > kPatience) {
      return status.ok() ? absl::UnavailableError("the server takes the upload no further") : status;
    }
    Pause(backoff.Next(), {});
  }
}

}  // namespace

absl::StatusOr<std::string> Client::Upload(const std::string& path, const UploadProgress& on_progress) const {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const std::unique_ptr<UploadSource> source, OpenUploadFile(path));
  return Send({connection_.get(), source.get(), "", &on_progress, connection_->StreamDeadline()});
}

absl::StatusOr<std::string> Client::UploadBytes(absl::string_view bytes, const UploadProgress& on_progress) const {
  const std::unique_ptr<UploadSource> source = UploadFromMemory(bytes);
  return Send({connection_.get(), source.get(), "", &on_progress, connection_->StreamDeadline()});
}

absl::StatusOr<std::vector<v1::Corpus>> Client::ListCorpora() const {
  return ListAll<v1::Corpus>(
      v1::ListCorporaRequest(), 0,
      [this](const v1::ListCorporaRequest& request) {
        return connection_->Call(connection_->corpora.get(), &CorpusStub::ListCorpora, request);
      },
      [](v1::ListCorporaResponse* page) { return page->mutable_corpora(); });
}

absl::StatusOr<v1::Corpus> Client::GetCorpus(const std::string& name) const {
  v1::GetCorpusRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->corpora.get(), &CorpusStub::GetCorpus, request));
  return std::move(*response.mutable_corpus());
}

absl::StatusOr<v1::Corpus> Client::CreateCorpus(const v1::CreateCorpusRequest& request) const {
  grpc::ClientContext context;
  connection_->Prepare(connection_->StreamDeadline(), &context);
  v1::CreateCorpusResponse response;
  const grpc::Status status = connection_->corpora->CreateCorpus(&context, request, &response);
  if (!status.ok()) return connection_->StatusOf(status);
  return std::move(*response.mutable_corpus());
}

absl::Status Client::DeleteCorpus(const std::string& name) const {
  v1::DeleteCorpusRequest request;
  request.set_name(name);
  return connection_->Call(connection_->corpora.get(), &CorpusStub::DeleteCorpus, request).status();
}

}  // namespace superpose::client
