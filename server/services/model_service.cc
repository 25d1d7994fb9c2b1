#include "server/services/model_service.h"

#include <memory>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/descriptors.h"
#include "server/services/call.h"
#include "server/services/limits.h"
#include "server/services/paging.h"
#include "server/services/tokens.h"

namespace superpose {
namespace {

absl::Status CheckAnswer(int64_t bytes) {
  const int64_t most = Limits().max_message_bytes;
  if (bytes <= most) return absl::OkStatus();
  return ResourceExhausted(reason::kRequestTooLarge, "the answer has over ", most, " bytes: ask for less at a time");
}

absl::Status TokenizeTexts(const LoadedModel& model, const v1::TokenizeRequest& request,
                           v1::TokenizeResponse* response) {
  if (request.texts().empty()) return InvalidArgument(reason::kEmptyInput, "texts is empty: give at least one");
  TokenizeOptions options{!request.has_prepend_bos() || request.prepend_bos(),
                          !request.has_parse_special() || request.parse_special()};
  int64_t bytes = 0;
  for (const std::string& text : request.texts()) {
    SUPERPOSE_ASSIGN_OR_RETURN(TokenSequence tokens, TokenizeText(model, text, options));
    SUPERPOSE_ASSIGN_OR_RETURN(std::vector<std::string> texts,
                               TokenTexts(model, tokens, Limits().max_message_bytes - bytes));
    v1::TokenizedText* tokenized = response->add_texts();
    tokenized->mutable_token_ids()->Add(tokens.begin(), tokens.end());
    tokenized->mutable_tokens()->Add(texts.begin(), texts.end());
    bytes += static_cast<int64_t>(tokenized->ByteSizeLong());
    SUPERPOSE_RETURN_IF_ERROR(CheckAnswer(bytes));
  }
  return absl::OkStatus();
}

absl::Status DetokenizeIds(const LoadedModel& model, const v1::DetokenizeRequest& request,
                           v1::DetokenizeResponse* response) {
  if (model.tokenizer == nullptr) return FailedPrecondition(reason::kTokenizerMissing, model.name, " has no tokenizer");
  TokenSequence tokens(request.token_ids().begin(), request.token_ids().end());
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<std::string> texts, TokenTexts(model, tokens, Limits().max_message_bytes));
  SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_text(), model.tokenizer->Decode(tokens));
  response->mutable_tokens()->Add(texts.begin(), texts.end());
  return CheckAnswer(static_cast<int64_t>(response->ByteSizeLong()));
}

}  // namespace

grpc::ServerUnaryReactor* ModelServiceImpl::ListModels(grpc::CallbackServerContext* context,
                                                       const v1::ListModelsRequest* request,
                                                       v1::ListModelsResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "ListModels", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(int64_t size, ListPageSize(request->page_size()));
    auto add = [&](const ModelHandle& model) { *response->add_models() = DescribeModel(*model); };
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_next_page_token(),
                               PageThrough(registry_->models(), "models/", size, request->page_token(), add));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::GetModel(grpc::CallbackServerContext* context,
                                                     const v1::GetModelRequest* request,
                                                     v1::GetModelResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetModel", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, registry_->FindModel(request->name()));
    *response->mutable_model() = DescribeModel(*model);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::Tokenize(grpc::CallbackServerContext* context,
                                                     const v1::TokenizeRequest* request,
                                                     v1::TokenizeResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "Tokenize", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, registry_->FindModel(request->model()));
    return TokenizeTexts(*model, *request, response);
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::Detokenize(grpc::CallbackServerContext* context,
                                                       const v1::DetokenizeRequest* request,
                                                       v1::DetokenizeResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "Detokenize", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, registry_->FindModel(request->model()));
    return DetokenizeIds(*model, *request, response);
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::LoadModel(grpc::CallbackServerContext* context,
                                                      const v1::LoadModelRequest* request,
                                                      v1::LoadModelResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "LoadModel");
  StartOnWorker(call, worker_, [this, call, request, response] {
    auto loaded = std::make_shared<ModelHandle>();
    loading_->LoadModel(request->model(), loaded, [call, loaded, response](const absl::Status& status) {
      if (status.ok()) *response->mutable_model() = DescribeModel(**loaded);
      call->Finish(status);
    });
    return absl::OkStatus();
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* ModelServiceImpl::UnloadModel(grpc::CallbackServerContext* context,
                                                        const v1::UnloadModelRequest* request,
                                                        v1::UnloadModelResponse*) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "UnloadModel");
  StartOnWorker(call, worker_, [this, call, request] {
    loading_->UnloadModel(request->name(), [call](const absl::Status& status) { call->Finish(status); });
    return absl::OkStatus();
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* ModelServiceImpl::LoadTranscoder(grpc::CallbackServerContext* context,
                                                           const v1::LoadTranscoderRequest* request,
                                                           v1::LoadTranscoderResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "LoadTranscoder");
  StartOnWorker(call, worker_, [this, call, request, response] {
    auto loaded = std::make_shared<TranscoderHandle>();
    loading_->LoadTranscoder(*request, loaded, [call, loaded, response](const absl::Status& status) {
      if (status.ok()) *response->mutable_transcoder() = DescribeTranscoder(**loaded);
      call->Finish(status);
    });
    return absl::OkStatus();
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* ModelServiceImpl::UnloadTranscoder(grpc::CallbackServerContext* context,
                                                             const v1::UnloadTranscoderRequest* request,
                                                             v1::UnloadTranscoderResponse*) {
  auto call = std::make_shared<UnaryCall>(context, metrics_, "UnloadTranscoder");
  StartOnWorker(call, worker_, [this, call, request] {
    loading_->UnloadTranscoder(request->name(), [call](const absl::Status& status) { call->Finish(status); });
    return absl::OkStatus();
  });
  return call->reactor();
}

}  // namespace superpose
