#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/submit_request.h"

namespace superpose::client {
namespace {

using Stub = v1::StatisticsService::Stub;

// The tensor that came with an answer. DATA_LOSS unless its bytes are what its type and shape say.
absl::StatusOr<Tensor> TakeTensor(v1::ResultTensor* from) {
  Tensor tensor;
  tensor.data_type = from->info().data_type();
  tensor.shape.assign(from->info().shape().begin(), from->info().shape().end());
  tensor.bytes = std::move(*from->mutable_data());
  from->clear_data();
  const int64_t size = ElementSize(tensor.data_type);
  if (size == 0 || static_cast<int64_t>(tensor.bytes.size()) != size * tensor.elements()) {
    return absl::DataLossError(absl::StrCat("the ", tensor.bytes.size(), " bytes of the answer's tensor ",
                                            from->info().name(), " do not fit its type and shape"));
  }
  return tensor;
}

}  // namespace

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

absl::StatusOr<AnalysisAnswer> Client::ReadAnalysis(v1::AnalysisResult result, const std::string& job) const {
  AnalysisAnswer answer;
  for (v1::ResultTensor& tensor : *result.mutable_tensors()) {
    const std::string& name = tensor.info().name();
    absl::StatusOr<Tensor> values = result.tensors_are_stored() ? ReadTensor(job, name) : TakeTensor(&tensor);
    if (!values.ok()) return values.status();
    answer.tensors[name] = *std::move(values);
  }
  answer.result = std::move(result);
  return answer;
}

absl::StatusOr<AnalysisAnswer> Client::Analyze(const v1::AnalysisSpec& spec, const JobCallback& on_change,
                                               const WatchOptions& options) const {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(v1::AnalyzeSnapshotResponse response, AnalyzeSnapshot(spec));
  if (!response.has_job()) return ReadAnalysis(std::move(*response.mutable_result()));
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(v1::Job job, WaitForJob(response.job().name(), on_change, options));
  return ReadAnalysis(std::move(*job.mutable_analysis()), job.name());
}

}  // namespace superpose::client
