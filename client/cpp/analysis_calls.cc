// Questions to snapshots, directions and factorizations: what is the same for all of them.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"

namespace superpose::client {
namespace {

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

// The answer, waited for where it is a job's.
template <typename Response>
absl::StatusOr<AnalysisAnswer> AnswerOf(const Client& client, absl::StatusOr<Response> response,
                                        const JobCallback& on_change, const WatchOptions& options) {
  if (!response.ok()) return response.status();
  if (!response->has_job()) return client.ReadAnalysis(std::move(*response->mutable_result()));
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(v1::Job job, client.WaitForJob(response->job().name(), on_change, options));
  return client.ReadAnalysis(std::move(*job.mutable_analysis()), job.name());
}

}  // namespace

bool AsksSnapshot(const v1::AnalysisSpec& spec) {
  switch (spec.analysis_case()) {
    case v1::AnalysisSpec::kGram:
    case v1::AnalysisSpec::kSpectrum:
    case v1::AnalysisSpec::kWhitening:
    case v1::AnalysisSpec::kFactorsOfDecoder:
    case v1::AnalysisSpec::kDecodersOfFactor:
    case v1::AnalysisSpec::kSharedFactors:
    case v1::AnalysisSpec::kFactorMatch:
      return false;
    default:
      return true;
  }
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
  return AsksSnapshot(spec) ? AnswerOf(*this, AnalyzeSnapshot(spec), on_change, options)
                            : AnswerOf(*this, AnalyzeDirections(spec), on_change, options);
}

}  // namespace superpose::client
