#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/submit_request.h"

namespace superpose::client {

using Stub = v1::MidcoderService::Stub;

absl::StatusOr<v1::Job> Client::TrainMidcoder(const v1::MidcoderTrainingSpec& spec,
                                              const SubmitOptions& options) const {
  auto request = SubmitRequest<v1::TrainMidcoderRequest>(spec, options);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->midcoders.get(), &Stub::TrainMidcoder, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::MemoryEstimate> Client::EstimateMidcoderTraining(const v1::MidcoderTrainingSpec& spec) const {
  v1::EstimateMidcoderTrainingRequest request;
  *request.mutable_spec() = spec;
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection_->Call(connection_->midcoders.get(), &Stub::EstimateMidcoderTraining, request));
  return std::move(*response.mutable_estimate());
}

absl::StatusOr<v1::Job> Client::EvaluateMidcoder(const v1::MidcoderEvaluationSpec& spec,
                                                 const SubmitOptions& options) const {
  auto request = SubmitRequest<v1::EvaluateMidcoderRequest>(spec, options);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->midcoders.get(), &Stub::EvaluateMidcoder, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<std::vector<v1::Midcoder>> Client::ListMidcoders() const {
  return ListAll<v1::Midcoder>(
      v1::ListMidcodersRequest(), 0,
      [this](const v1::ListMidcodersRequest& request) {
        return connection_->Call(connection_->midcoders.get(), &Stub::ListMidcoders, request);
      },
      [](v1::ListMidcodersResponse* page) { return page->mutable_midcoders(); });
}

absl::StatusOr<v1::Midcoder> Client::GetMidcoder(const std::string& name) const {
  v1::GetMidcoderRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->midcoders.get(), &Stub::GetMidcoder, request));
  return std::move(*response.mutable_midcoder());
}

absl::Status Client::DeleteMidcoder(const std::string& name) const {
  v1::DeleteMidcoderRequest request;
  request.set_name(name);
  return connection_->Call(connection_->midcoders.get(), &Stub::DeleteMidcoder, request).status();
}

absl::StatusOr<v1::TrainingHistory> Client::GetMidcoderHistory(const std::string& name) const {
  v1::GetMidcoderHistoryRequest request;
  request.set_name(name);
  v1::TrainingHistory all;
  do {
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
        auto page, connection_->Call(connection_->midcoders.get(), &Stub::GetMidcoderHistory, request));
    // Merging puts the columns' elements after those that are there.
    all.MergeFrom(page.history());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

}  // namespace superpose::client
