#include <string>
#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/file_export.h"
#include "client/cpp/request_id.h"

namespace superpose::client {

using Stub = v1::MidcoderService::Stub;

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
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const ExportForm form, ExportFormOf(path));
  request.set_format(form == ExportForm::kReference ? v1::MIDCODER_FILE_FORMAT_REFERENCE
                                                    : v1::MIDCODER_FILE_FORMAT_SAFETENSORS);
  return ExportFile(*connection_, connection_->midcoders.get(), &Stub::ExportMidcoder, request, path,
                    options.on_progress);
}

}  // namespace superpose::client
