#include <string>
#include <utility>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"

namespace superpose::client {

using Stub = v1::ModelService::Stub;

// Weights of gigabytes are read, and calls under way are waited for: both may take as long as a stream.
absl::StatusOr<v1::Model> Client::LoadModel(const v1::ModelEntry& model) const {
  v1::LoadModelRequest request;
  *request.mutable_model() = model;
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response,
      connection_->CallUntil(connection_->StreamDeadline(), connection_->models.get(), &Stub::LoadModel, request));
  return std::move(*response.mutable_model());
}

absl::StatusOr<v1::Transcoder> Client::LoadTranscoder(const std::string& model, const v1::TranscoderEntry& transcoder,
                                                      bool replace) const {
  v1::LoadTranscoderRequest request;
  request.set_model(model);
  *request.mutable_transcoder() = transcoder;
  request.set_replace(replace);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response,
      connection_->CallUntil(connection_->StreamDeadline(), connection_->models.get(), &Stub::LoadTranscoder, request));
  return std::move(*response.mutable_transcoder());
}

absl::Status Client::UnloadModel(const std::string& name) const {
  v1::UnloadModelRequest request;
  request.set_name(name);
  return connection_->CallUntil(connection_->StreamDeadline(), connection_->models.get(), &Stub::UnloadModel, request)
      .status();
}

absl::Status Client::UnloadTranscoder(const std::string& name) const {
  v1::UnloadTranscoderRequest request;
  request.set_name(name);
  return connection_
      ->CallUntil(connection_->StreamDeadline(), connection_->models.get(), &Stub::UnloadTranscoder, request)
      .status();
}

}  // namespace superpose::client
