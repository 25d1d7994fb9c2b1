// A model's config.json.
#include <cmath>

#include "lib/model/model_config.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const auto config = ReadModelConfig(folder.Write("config.json", fuzz::Text(data, size)));
  fuzz::RequireHonest(config.status());
  if (!config.ok()) return 0;
  fuzz::Require(config->d_model > 0 && config->n_heads > 0 && config->d_model % config->n_heads == 0, "heads");
  fuzz::Require(config->n_layers > 0 && config->n_positions > 0 && config->d_mlp > 0, "sizes");
  fuzz::Require(config->bos_token_id >= 0 && config->bos_token_id < config->vocab_size, "bos_token_id");
  fuzz::Require(config->eos_token_id >= 0 && config->eos_token_id < config->vocab_size, "eos_token_id");
  fuzz::Require(std::isfinite(config->layer_norm_epsilon) && std::isfinite(config->attention_scale), "numbers");
  return 0;
}

}  // namespace superpose
