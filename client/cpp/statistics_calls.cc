#include <string>
#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/submit_request.h"

namespace superpose::client {

using Stub = v1::StatisticsService::Stub;

absl::StatusOr<v1::Job> Client::CollectStatistics(const v1::StatisticsSpec& spec, const SubmitOptions& options) const {
  const auto request = SubmitRequest<v1::CollectStatisticsRequest>(spec, options);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection_->Call(connection_->statistics.get(), &Stub::CollectStatistics, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::EstimateStatisticsResponse> Client::EstimateStatistics(const v1::StatisticsSpec& spec) const {
  v1::EstimateStatisticsRequest request;
  *request.mutable_spec() = spec;
  return connection_->Call(connection_->statistics.get(), &Stub::EstimateStatistics, request);
}

absl::StatusOr<v1::AnalyzeSnapshotResponse> Client::AnalyzeSnapshot(const v1::AnalysisSpec& spec,
                                                                    const AnalyzeOptions& options) const {
  v1::AnalyzeSnapshotRequest request;
  *request.mutable_spec() = spec;
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  request.set_as_job(options.as_job);
  return connection_->Call(connection_->statistics.get(), &Stub::AnalyzeSnapshot, request);
}

}  // namespace superpose::client
