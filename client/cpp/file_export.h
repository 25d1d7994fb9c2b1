// A resource on its way from the server into a file here. Internal: client.h is the interface.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/connection.h"
#include "client/cpp/file_download.h"
#include "client/cpp/options.h"
#include "client/cpp/status_macros.h"

namespace superpose::client {

enum class ExportForm { kSafetensors, kReference };

// What the path's ending asks for: .safetensors or .pt. INVALID_ARGUMENT / CONFIG_INVALID for another one.
absl::StatusOr<ExportForm> ExportFormOf(const std::string& path);

// Reads streams, each from where the download is, until the file is complete, and keeps it. UNAVAILABLE and DATA_LOSS
// when they keep breaking without a new byte; any other error of a stream at once.
absl::Status DownloadFile(const std::function<absl::Status(FileDownload* download)>& read_stream,
                          FileDownload* download);

template <typename Stub, typename Request, typename Response>
using ExportMethod = std::unique_ptr<grpc::ClientReader<Response>> (Stub::*)(grpc::ClientContext*, const Request&);

// Reads one stream, from where the download is, to its end. Returns how it ended.
template <typename Stub, typename Request, typename Response>
absl::Status ReadExport(const Connection& connection, absl::Time deadline, Stub* stub,
                        ExportMethod<Stub, Request, Response> method, Request request,
                        const UploadProgress& on_progress, FileDownload* download) {
  request.set_start_offset(download->received());
  download->BeginStream();
  grpc::ClientContext context;
  connection.Prepare(deadline, &context);
  const auto reader = (stub->*method)(&context, request);
  Response piece;
  absl::Status status;
  while (status.ok() && reader->Read(&piece)) {
    status = download->Add({piece.size_bytes(), piece.offset(), piece.data(), piece.crc32c()});
    if (status.ok() && on_progress) on_progress(download->received(), download->size());
  }
  if (!status.ok()) context.TryCancel();
  const grpc::Status end = reader->Finish();
  return status.ok() ? connection.StatusOf(end) : status;
}

// The whole of it, in the place of a file that is there.
template <typename Stub, typename Request, typename Response>
absl::Status ExportFile(const Connection& connection, Stub* stub, ExportMethod<Stub, Request, Response> method,
                        const Request& request, const std::string& path, const UploadProgress& on_progress) {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const std::unique_ptr<FileDownload> download, FileDownload::Create(path));
  const absl::Time deadline = connection.StreamDeadline();
  return DownloadFile(
      [&](FileDownload* into) { return ReadExport(connection, deadline, stub, method, request, on_progress, into); },
      download.get());
}

}  // namespace superpose::client
