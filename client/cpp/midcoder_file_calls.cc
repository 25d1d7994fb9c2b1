#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/backoff.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/file_download.h"
#include "client/cpp/request_id.h"

namespace superpose::client {
namespace {

using Stub = v1::MidcoderService::Stub;

// Streams in a row that may break without a new byte.
constexpr int kMostFruitlessStreams = 5;

absl::StatusOr<v1::MidcoderFileFormat> FormatOf(const std::string& path) {
  if (absl::EndsWith(path, ".safetensors")) return v1::MIDCODER_FILE_FORMAT_SAFETENSORS;
  if (absl::EndsWith(path, ".pt")) return v1::MIDCODER_FILE_FORMAT_REFERENCE;
  return MakeError(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                   absl::StrCat("'", path, "' must end in .safetensors or .pt: that says which format to write"));
}

// Reads one stream, from where the download is, to its end. Returns how it ended.
absl::Status ReadStream(const Connection& connection, absl::Time deadline, v1::ExportMidcoderRequest request,
                        const UploadProgress& on_progress, FileDownload* download) {
  request.set_start_offset(download->received());
  download->BeginStream();
  grpc::ClientContext context;
  connection.Prepare(deadline, &context);
  const auto reader = connection.midcoders->ExportMidcoder(&context, request);
  v1::ExportMidcoderResponse piece;
  absl::Status status;
  while (status.ok() && reader->Read(&piece)) {
    status = download->Add(piece);
    if (status.ok() && on_progress) on_progress(download->received(), download->size());
  }
  if (!status.ok()) context.TryCancel();
  const grpc::Status end = reader->Finish();
  return status.ok() ? connection.StatusOf(end) : status;
}

absl::Status Download(const Connection& connection, const v1::ExportMidcoderRequest& request,
                      const UploadProgress& on_progress, FileDownload* download) {
  const absl::Time deadline = connection.StreamDeadline();
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2));
  int fruitless = 0;
  while (true) {
    const int64_t before = download->received();
    absl::Status status = ReadStream(connection, deadline, request, on_progress, download);
    if (download->complete()) return absl::OkStatus();
    if (status.ok()) status = absl::DataLossError("the stream ended before the file did");
    if (!absl::IsUnavailable(status) && !absl::IsDataLoss(status)) return status;
    fruitless = download->received() > before ? 0 : fruitless + 1;
    if (fruitless == kMostFruitlessStreams) return status;
    Pause(backoff.Next(), {});
  }
}

}  // namespace

absl::StatusOr<v1::Midcoder> Client::ImportMidcoder(const v1::ImportMidcoderRequest& request) const {
  v1::ImportMidcoderRequest sent = request;
  if (sent.request_id().empty()) sent.set_request_id(NewRequestId());
  // The file is read and checked meanwhile, which may take as long as a stream.
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response,
      connection_->CallUntil(connection_->StreamDeadline(), connection_->midcoders.get(), &Stub::ImportMidcoder, sent));
  return std::move(*response.mutable_midcoder());
}

absl::StatusOr<v1::Midcoder> Client::ImportMidcoder(const std::string& path, const std::string& transcoder,
                                                    const UploadProgress& on_progress) const {
  v1::ImportMidcoderRequest request;
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(*request.mutable_upload(), Upload(path, on_progress));
  request.set_transcoder(transcoder);
  return ImportMidcoder(request);
}

absl::Status Client::ExportMidcoder(const std::string& name, const std::string& path,
                                    const ExportOptions& options) const {
  v1::ExportMidcoderRequest request;
  request.set_name(name);
  request.set_snapshot(options.snapshot);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const v1::MidcoderFileFormat format, FormatOf(path));
  request.set_format(format);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const std::unique_ptr<FileDownload> download, FileDownload::Create(path));
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(Download(*connection_, request, options.on_progress, download.get()));
  return download->Keep();
}

}  // namespace superpose::client
