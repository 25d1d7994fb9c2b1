// Prompts, and the tensors that a model has at them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/cpp/tensor.h"
#include "superpose/v1/model.pb.h"
#include "superpose/v1/prompt_service.pb.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose::client {

// Texts, each a sequence; a BOS goes before each (it is never doubled).
v1::Prompt TextPrompt(const std::vector<std::string>& texts, const std::string& model = "models/-");
// Token sequences, used as they are.
v1::Prompt TokenPrompt(const std::vector<std::vector<int32_t>>& sequences, const std::string& model = "models/-");

// Tensors around one layer's MLP. Their rows are the positions of all sequences, one after the other.
struct MlpTensors {
  // The sequences' tokens, BOS included.
  v1::TokenBatch tokens;
  // The text of each token; empty for a model without a tokenizer.
  std::vector<std::string> token_texts;
  v1::Provenance provenance;
  // float32 [tokens, width], one for each that was asked for.
  std::map<v1::MlpTensor, Tensor> tensors;
};

}  // namespace superpose::client
