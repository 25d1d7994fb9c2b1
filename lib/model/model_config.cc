#include "lib/model/model_config.h"

#include <cmath>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/json_file.h"

namespace superpose {
namespace {

using Json = nlohmann::json;

constexpr int64_t kLargestSize = 1 << 24;

template <typename... Parts>
absl::Status Unsupported(const Parts&... parts) {
  return FailedPrecondition(reason::kModelUnsupported, parts...);
}

// A field that must be a whole number from 1; `fallback` 0 means that it must be there.
absl::StatusOr<int64_t> Size(const Json& json, const char* field, int64_t fallback) {
  auto found = json.find(field);
  if ((found == json.end() || found->is_null()) && fallback > 0) return fallback;
  if (found == json.end() || !found->is_number_integer())
    return InvalidArgument(reason::kFileCorrupt, "config.json has no whole number ", field);
  int64_t size = found->get<int64_t>();
  if (size < 1 || size > kLargestSize)
    return InvalidArgument(reason::kFileCorrupt, "config.json: ", field, " is ", size);
  return size;
}

absl::StatusOr<int64_t> TokenId(const Json& json, const char* field, int64_t vocab_size) {
  auto found = json.find(field);
  if (found == json.end() || found->is_null()) return vocab_size - 1;  // GPT-2's <|endoftext|> is the last token
  int64_t id = found->is_number_integer() ? found->get<int64_t>() : -1;
  if (id < 0 || id >= vocab_size)
    return InvalidArgument(reason::kFileCorrupt, "config.json: ", field, " is no token id under ", vocab_size);
  return id;
}

// A field of type T; `fallback` where it is missing or null.
template <typename T>
absl::StatusOr<T> Optional(const Json& json, const char* field, const T& fallback, bool (Json::*is_of_type)() const,
                           const char* type) {
  auto found = json.find(field);
  if (found == json.end() || found->is_null()) return fallback;
  if (!((*found).*is_of_type)())
    return InvalidArgument(reason::kFileCorrupt, "config.json: ", field, " must be ", type);
  return found->get<T>();
}

absl::StatusOr<bool> Flag(const Json& json, const char* field, bool fallback) {
  return Optional<bool>(json, field, fallback, &Json::is_boolean, "true or false");
}

absl::StatusOr<std::string> Text(const Json& json, const char* field, const std::string& fallback) {
  return Optional<std::string>(json, field, fallback, &Json::is_string, "a string");
}

absl::Status CheckSupported(const Json& json, const ModelConfig& config) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string type, Text(json, "model_type", "gpt2"));
  if (type != "gpt2") return Unsupported("config.json: model_type \"", type, "\"; only \"gpt2\" is supported");
  SUPERPOSE_ASSIGN_OR_RETURN(const bool cross_attention, Flag(json, "add_cross_attention", false));
  if (cross_attention) return Unsupported("config.json: add_cross_attention is not supported");
  const std::string& activation = config.activation_function;
  if (activation != "gelu_new" && activation != "gelu" && activation != "relu") {
    return Unsupported("config.json: activation_function \"", activation, "\"; gelu_new, gelu and relu are supported");
  }
  if (config.d_model % config.n_heads != 0) {
    return InvalidArgument(reason::kFileCorrupt, "config.json: n_embd ", config.d_model, " is no multiple of n_head ",
                           config.n_heads);
  }
  if (!(config.layer_norm_epsilon > 0 && config.layer_norm_epsilon < 1)) {
    return InvalidArgument(reason::kFileCorrupt, "config.json: layer_norm_epsilon is ", config.layer_norm_epsilon);
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelConfig> ParseConfig(const Json& json) {
  ModelConfig config;
  SUPERPOSE_ASSIGN_OR_RETURN(config.d_model, Size(json, "n_embd", 0));
  SUPERPOSE_ASSIGN_OR_RETURN(config.n_layers, Size(json, "n_layer", 0));
  SUPERPOSE_ASSIGN_OR_RETURN(config.n_heads, Size(json, "n_head", 0));
  SUPERPOSE_ASSIGN_OR_RETURN(config.vocab_size, Size(json, "vocab_size", 0));
  SUPERPOSE_ASSIGN_OR_RETURN(config.n_positions, Size(json, "n_positions", 0));
  SUPERPOSE_ASSIGN_OR_RETURN(config.d_mlp, Size(json, "n_inner", 4 * config.d_model));
  SUPERPOSE_ASSIGN_OR_RETURN(config.bos_token_id, TokenId(json, "bos_token_id", config.vocab_size));
  SUPERPOSE_ASSIGN_OR_RETURN(config.eos_token_id, TokenId(json, "eos_token_id", config.vocab_size));
  SUPERPOSE_ASSIGN_OR_RETURN(config.layer_norm_epsilon,
                             Optional<double>(json, "layer_norm_epsilon", 1e-5, &Json::is_number, "a number"));
  SUPERPOSE_ASSIGN_OR_RETURN(config.activation_function, Text(json, "activation_function", "gelu_new"));
  if (config.activation_function == "gelu_pytorch_tanh") config.activation_function = "gelu_new";
  SUPERPOSE_ASSIGN_OR_RETURN(const bool scaled, Flag(json, "scale_attn_weights", true));
  const int64_t d_head = config.d_model / config.n_heads;
  config.attention_scale = scaled ? 1.0 / std::sqrt(static_cast<double>(d_head)) : 1.0;
  SUPERPOSE_ASSIGN_OR_RETURN(config.scale_attention_by_inverse_layer,
                             Flag(json, "scale_attn_by_inverse_layer_idx", false));
  SUPERPOSE_ASSIGN_OR_RETURN(config.tie_word_embeddings, Flag(json, "tie_word_embeddings", true));
  SUPERPOSE_RETURN_IF_ERROR(CheckSupported(json, config));
  return config;
}

}  // namespace

absl::StatusOr<ModelConfig> ReadModelConfig(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(Json json, ReadJsonObject(path));
  auto config = ParseConfig(json);
  if (!config.ok()) return WithContext(config.status(), path);
  return config;
}

}  // namespace superpose
