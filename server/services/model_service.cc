#include "server/services/model_service.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/descriptors.h"
#include "server/services/call.h"
#include "server/services/paging.h"
#include "server/services/tokens.h"

namespace superpose {
namespace {

absl::Status TokenizeTexts(const LoadedModel& model, const v1::TokenizeRequest& request,
                           v1::TokenizeResponse* response) {
  if (request.texts().empty()) return InvalidArgument(reason::kEmptyInput, "texts is empty: give at least one");
  TokenizeOptions options{!request.has_prepend_bos() || request.prepend_bos(),
                          !request.has_parse_special() || request.parse_special()};
  for (const std::string& text : request.texts()) {
    SUPERPOSE_ASSIGN_OR_RETURN(TokenSequence tokens, TokenizeText(model, text, options));
    SUPERPOSE_ASSIGN_OR_RETURN(std::vector<std::string> texts, TokenTexts(model, tokens));
    v1::TokenizedText* tokenized = response->add_texts();
    tokenized->mutable_token_ids()->Add(tokens.begin(), tokens.end());
    tokenized->mutable_tokens()->Add(texts.begin(), texts.end());
  }
  return absl::OkStatus();
}

absl::Status DetokenizeIds(const LoadedModel& model, const v1::DetokenizeRequest& request,
                           v1::DetokenizeResponse* response) {
  if (model.tokenizer == nullptr) return FailedPrecondition(reason::kTokenizerMissing, model.name, " has no tokenizer");
  TokenSequence tokens(request.token_ids().begin(), request.token_ids().end());
  SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_text(), model.tokenizer->Decode(tokens));
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<std::string> texts, TokenTexts(model, tokens));
  response->mutable_tokens()->Add(texts.begin(), texts.end());
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* ModelServiceImpl::ListModels(grpc::CallbackServerContext* context,
                                                       const v1::ListModelsRequest* request,
                                                       v1::ListModelsResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "ListModels", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(int64_t size, ListPageSize(request->page_size()));
    auto add = [&](const LoadedModel& model) { *response->add_models() = DescribeModel(model); };
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_next_page_token(),
                               PageThrough(registry_->models(), size, request->page_token(), add));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::GetModel(grpc::CallbackServerContext* context,
                                                     const v1::GetModelRequest* request,
                                                     v1::GetModelResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetModel", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry_->FindModel(request->name()));
    *response->mutable_model() = DescribeModel(*model);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::Tokenize(grpc::CallbackServerContext* context,
                                                     const v1::TokenizeRequest* request,
                                                     v1::TokenizeResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "Tokenize", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry_->FindModel(request->model()));
    return TokenizeTexts(*model, *request, response);
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::Detokenize(grpc::CallbackServerContext* context,
                                                       const v1::DetokenizeRequest* request,
                                                       v1::DetokenizeResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "Detokenize", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry_->FindModel(request->model()));
    return DetokenizeIds(*model, *request, response);
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::ListCorpora(grpc::CallbackServerContext* context,
                                                        const v1::ListCorporaRequest* request,
                                                        v1::ListCorporaResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "ListCorpora", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(int64_t size, ListPageSize(request->page_size()));
    auto add = [&](const LoadedCorpus& corpus) { *response->add_corpora() = DescribeCorpus(corpus); };
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_next_page_token(),
                               PageThrough(registry_->corpora(), size, request->page_token(), add));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ModelServiceImpl::GetCorpus(grpc::CallbackServerContext* context,
                                                      const v1::GetCorpusRequest* request,
                                                      v1::GetCorpusResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetCorpus", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedCorpus* corpus, registry_->FindCorpus(request->name()));
    *response->mutable_corpus() = DescribeCorpus(*corpus);
    return absl::OkStatus();
  });
}

}  // namespace superpose
