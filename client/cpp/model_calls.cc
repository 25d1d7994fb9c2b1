#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"

namespace superpose::client {

using Stub = v1::ModelService::Stub;

absl::StatusOr<std::vector<v1::Model>> Client::ListModels() const {
  return ListAll<v1::Model>(
      v1::ListModelsRequest(), 0,
      [this](const v1::ListModelsRequest& request) {
        return connection_->Call(connection_->models.get(), &Stub::ListModels, request);
      },
      [](v1::ListModelsResponse* page) { return page->mutable_models(); });
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& name) const {
  v1::GetModelRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->models.get(), &Stub::GetModel, request));
  return std::move(*response.mutable_model());
}

absl::StatusOr<v1::TokenizeResponse> Client::Tokenize(const v1::TokenizeRequest& request) const {
  return connection_->Call(connection_->models.get(), &Stub::Tokenize, request);
}

absl::StatusOr<v1::DetokenizeResponse> Client::Detokenize(const std::vector<int32_t>& token_ids,
                                                          const std::string& model) const {
  v1::DetokenizeRequest request;
  request.set_model(model);
  request.mutable_token_ids()->Add(token_ids.begin(), token_ids.end());
  return connection_->Call(connection_->models.get(), &Stub::Detokenize, request);
}

}  // namespace superpose::client
