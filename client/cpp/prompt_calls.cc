#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/tensor_assembler.h"

namespace superpose::client {
namespace {

using Stub = v1::PromptService::Stub;

// Puts what GetMlpTensors streams together.
class MlpTensorsAssembler {
 public:
  absl::Status Add(const v1::GetMlpTensorsResponse& response) {
    if (assemblers_.empty()) {
      result_.tokens = response.tokens();
      result_.token_texts.assign(response.token_texts().begin(), response.token_texts().end());
      result_.provenance = response.provenance();
    }
    return assemblers_[response.which()].Add(response.chunk());
  }

  // DATA_LOSS unless everything that `request` asks for has come, with a row for each token.
  absl::StatusOr<MlpTensors> Take(const v1::GetMlpTensorsRequest& request) {
    for (const int which : request.which()) {
      if (assemblers_.count(static_cast<v1::MlpTensor>(which)) == 0) return Missing(which);
    }
    for (auto& [which, assembler] : assemblers_) {
      if (!assembler.complete()) return Missing(which);
      Tensor tensor = assembler.Take();
      const bool sound = tensor.data_type == v1::DATA_TYPE_FLOAT32 && tensor.shape.size() == 2 &&
                         tensor.shape[0] == result_.tokens.token_ids_size();
      if (!sound) return absl::DataLossError("the server sent a tensor that has not one float32 row a token");
      result_.tensors[which] = std::move(tensor);
    }
    return std::move(result_);
  }

 private:
  static absl::Status Missing(int which) {
    return absl::DataLossError(absl::StrCat("the stream ended before tensor ", which, " was complete"));
  }

  MlpTensors result_;
  std::map<v1::MlpTensor, TensorAssembler> assemblers_;
};

}  // namespace

v1::Prompt TextPrompt(const std::vector<std::string>& texts, const std::string& model) {
  v1::Prompt prompt;
  prompt.set_model(model);
  prompt.mutable_texts()->mutable_texts()->Assign(texts.begin(), texts.end());
  return prompt;
}

v1::Prompt TokenPrompt(const std::vector<std::vector<int32_t>>& sequences, const std::string& model) {
  v1::Prompt prompt;
  prompt.set_model(model);
  v1::TokenBatch* batch = prompt.mutable_tokens();
  for (const std::vector<int32_t>& sequence : sequences) {
    batch->mutable_token_ids()->Add(sequence.begin(), sequence.end());
    batch->add_lengths(static_cast<int32_t>(sequence.size()));
  }
  return prompt;
}

absl::StatusOr<MlpTensors> Client::GetMlpTensors(const v1::GetMlpTensorsRequest& request) const {
  grpc::ClientContext context;
  connection_->Prepare(connection_->StreamDeadline(), &context);
  std::unique_ptr<grpc::ClientReader<v1::GetMlpTensorsResponse>> reader =
      connection_->prompts->GetMlpTensors(&context, request);
  MlpTensorsAssembler assembler;
  v1::GetMlpTensorsResponse response;
  absl::Status status;
  while (status.ok() && reader->Read(&response)) status = assembler.Add(response);
  if (!status.ok()) context.TryCancel();
  const grpc::Status end = reader->Finish();
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(status);
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(connection_->StatusOf(end));
  return assembler.Take(request);
}

absl::StatusOr<v1::PredictNextTokensResponse> Client::PredictNextTokens(
    const v1::PredictNextTokensRequest& request) const {
  return connection_->Call(connection_->prompts.get(), &Stub::PredictNextTokens, request);
}

absl::StatusOr<v1::InterveneResponse> Client::Intervene(const v1::InterveneRequest& request) const {
  return connection_->Call(connection_->prompts.get(), &Stub::Intervene, request);
}

}  // namespace superpose::client
