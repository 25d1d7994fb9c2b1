#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "server/runtime/model_registry.h"

namespace superpose {

// A few hundred tokens to test a transcoder with.
struct SelfTestTokens {
  at::Tensor ids;      // int64 [sequences, positions]
  std::string source;  // "built-in text", "corpora/{corpus}" or "random token ids"
};

// English text where the model has a tokenizer (whose ids it knows), else the start of `corpus`, which may be null,
// else ids from a fixed seed. Runs LibTorch.
absl::StatusOr<SelfTestTokens> ChooseSelfTestTokens(const LoadedModel& model, const LoadedCorpus* corpus);

}  // namespace superpose
