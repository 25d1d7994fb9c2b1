#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/file_export.h"
#include "client/cpp/submit_request.h"

namespace superpose::client {

using Stub = v1::FactorizationService::Stub;

absl::StatusOr<v1::Job> Client::Factorize(const v1::FactorizationSpec& spec, const SubmitOptions& options) const {
  const auto request = SubmitRequest<v1::FactorizeDecodersRequest>(spec, options);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection_->Call(connection_->factorizations.get(), &Stub::FactorizeDecoders, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::EstimateFactorizationResponse> Client::EstimateFactorization(
    const v1::FactorizationSpec& spec) const {
  v1::EstimateFactorizationRequest request;
  *request.mutable_spec() = spec;
  return connection_->Call(connection_->factorizations.get(), &Stub::EstimateFactorization, request);
}

absl::StatusOr<v1::AnalyzeDirectionsResponse> Client::AnalyzeDirections(const v1::AnalysisSpec& spec,
                                                                        const AnalyzeOptions& options) const {
  v1::AnalyzeDirectionsRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  request.set_as_job(options.as_job);
  return connection_->Call(connection_->factorizations.get(), &Stub::AnalyzeDirections, request);
}

absl::StatusOr<std::vector<v1::Factorization>> Client::ListFactorizations() const {
  return ListAll<v1::Factorization>(
      v1::ListFactorizationsRequest(), 0,
      [this](const v1::ListFactorizationsRequest& request) {
        return connection_->Call(connection_->factorizations.get(), &Stub::ListFactorizations, request);
      },
      [](v1::ListFactorizationsResponse* page) { return page->mutable_factorizations(); });
}

absl::StatusOr<v1::Factorization> Client::GetFactorization(const std::string& name) const {
  v1::GetFactorizationRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection_->Call(connection_->factorizations.get(), &Stub::GetFactorization, request));
  return std::move(*response.mutable_factorization());
}

absl::Status Client::DeleteFactorization(const std::string& name) const {
  v1::DeleteFactorizationRequest request;
  request.set_name(name);
  return connection_->Call(connection_->factorizations.get(), &Stub::DeleteFactorization, request).status();
}

absl::StatusOr<v1::Factorization> Client::ImportFactorization(const v1::ImportFactorizationRequest& request) const {
  v1::ImportFactorizationRequest sent = request;
  if (sent.request_id().empty()) sent.set_request_id(NewRequestId());
  // The file is read and checked meanwhile, which may take as long as a stream.
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection_->CallUntil(connection_->StreamDeadline(), connection_->factorizations.get(),
                                            &Stub::ImportFactorization, sent));
  return std::move(*response.mutable_factorization());
}

absl::StatusOr<v1::Factorization> Client::ImportFactorization(const std::string& path,
                                                              const std::map<std::string, std::string>& labels,
                                                              const UploadProgress& on_progress) const {
  v1::ImportFactorizationRequest request;
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(*request.mutable_upload(), Upload(path, on_progress));
  request.mutable_labels()->insert(labels.begin(), labels.end());
  return ImportFactorization(request);
}

absl::Status Client::ExportFactorization(const std::string& name, const std::string& path,
                                         const UploadProgress& on_progress) const {
  v1::ExportFactorizationRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const ExportForm form, ExportFormOf(path));
  request.set_format(form == ExportForm::kReference ? v1::FACTORIZATION_FILE_FORMAT_REFERENCE
                                                    : v1::FACTORIZATION_FILE_FORMAT_SAFETENSORS);
  return ExportFile(*connection_, connection_->factorizations.get(), &Stub::ExportFactorization, request, path,
                    on_progress);
}

}  // namespace superpose::client
