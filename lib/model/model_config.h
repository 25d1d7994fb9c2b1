#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace superpose {

// What config.json of a GPT-2 family model says.
struct ModelConfig {
  int64_t d_model = 0;
  int64_t d_mlp = 0;  // n_inner, or 4 d_model
  int64_t n_layers = 0;
  int64_t n_heads = 0;
  int64_t n_positions = 0;
  int64_t vocab_size = 0;
  int64_t bos_token_id = 0;
  int64_t eos_token_id = 0;
  double layer_norm_epsilon = 1e-5;
  std::string activation_function;  // "gelu_new", "gelu" or "relu"
  double attention_scale = 1.0;  // scores are q.k * attention_scale (1/sqrt(d_head) unless the config says otherwise)
  bool scale_attention_by_inverse_layer = false;
  bool tie_word_embeddings = true;  // false: the unembedding must be a tensor of its own
};

// Reads config.json. MODEL_UNSUPPORTED names the first field whose value cannot be represented; FILE_CORRUPT when it is
// no JSON or a field is missing that is needed, of another type or out of range.
absl::StatusOr<ModelConfig> ReadModelConfig(const std::string& path);

}  // namespace superpose
