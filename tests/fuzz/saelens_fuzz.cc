// A SAELens folder: cfg.json and sae_weights.safetensors.
#include "lib/transcoder/transcoder_file.h"
#include "tests/fuzz/fuzz.h"

namespace superpose {

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::Folder folder;
  const auto [config, weights] = fuzz::TwoFiles(fuzz::Text(data, size));
  folder.Write("cfg.json", config);
  folder.Write("sae_weights.safetensors", weights);
  folder.Write("activation_scaler.json", R"({"scaling_factor": 2.5})");
  const auto file = ReadTranscoderFile({.path = folder.path(), .log_sparsity_path = ""});
  fuzz::RequireHonest(file.status());
  if (!file.ok()) return 0;
  fuzz::Require(file->layer >= -1, "a layer below -1");
  fuzz::ReadAll(file->tensors);
  return 0;
}

}  // namespace superpose
