// Models and transcoders of any shape with random weights, as files.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/model/model_config.h"
#include "lib/tensor_io/safetensors.h"
#include "tests/lib/tensor_io/zip_writer.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {

// A Hugging Face folder; the config's sizes are what it is made of.
inline void WriteModelFolder(const TestFolder& folder, const ModelConfig& config) {
  const int64_t d = config.d_model;
  folder.Write("config.json", nlohmann::json{{"model_type", "gpt2"},
                                             {"n_embd", d},
                                             {"n_layer", config.n_layers},
                                             {"n_head", config.n_heads},
                                             {"n_positions", config.n_positions},
                                             {"vocab_size", config.vocab_size},
                                             {"n_inner", config.d_mlp}}
                                  .dump());
  TensorMap weights{{"wte.weight", at::randn({config.vocab_size, d}) * 0.2},
                    {"wpe.weight", at::randn({config.n_positions, d}) * 0.1},
                    {"ln_f.weight", at::ones({d})},
                    {"ln_f.bias", at::zeros({d})}};
  for (int64_t layer = 0; layer < config.n_layers; ++layer) {
    const std::string h = absl::StrCat("h.", layer, ".");
    const auto linear = [&](const char* name, int64_t in, int64_t out) {
      weights[absl::StrCat(h, name, ".weight")] = at::randn({in, out}) * 0.1;
      weights[absl::StrCat(h, name, ".bias")] = at::zeros({out});
    };
    linear("attn.c_attn", d, 3 * d);
    linear("attn.c_proj", d, d);
    linear("mlp.c_fc", d, config.d_mlp);
    linear("mlp.c_proj", config.d_mlp, d);
    for (const char* norm : {"ln_1", "ln_2"}) {
      weights[absl::StrCat(h, norm, ".weight")] = at::ones({d});
      weights[absl::StrCat(h, norm, ".bias")] = at::zeros({d});
    }
  }
  EXPECT_OK(WriteSafetensors(folder.File("model.safetensors"), weights, {}));
}

// The pickle of a tensor over storage `key`, as torch.save writes it.
inline std::string PickledTensor(const std::string& key, const at::Tensor& tensor) {
  const auto text = [](const std::string& value) { return "X" + Raw(static_cast<uint32_t>(value.size())) + value; };
  const auto number = [](int64_t value) { return "J" + Raw(static_cast<int32_t>(value)); };
  const auto tuple = [&](at::IntArrayRef values) {
    std::string out = "(";
    for (const int64_t value : values) out += number(value);
    return out + "t";
  };
  const std::string storage =
      "(" + text("storage") + "ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(tensor.numel()) + "tQ";
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(0) + tuple(tensor.sizes()) +
         tuple(tensor.strides()) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

// A transcoder in Dunefsky's form, float32. `bias` is every feature's b_enc: far below zero no feature is ever active,
// far above all are.
inline std::string WriteTranscoderFile(const TestFolder& folder, const std::string& name, int64_t d_model,
                                       int64_t d_sae, double bias) {
  const TensorMap tensors{{"W_enc", at::randn({d_model, d_sae}) / std::sqrt(static_cast<double>(d_model))},
                          {"b_enc", at::full({d_sae}, bias)},
                          {"W_dec", at::randn({d_sae, d_model}) * 0.1},
                          {"b_dec", at::zeros({d_model})},
                          {"b_dec_out", at::zeros({d_model})}};
  const auto text = [](const std::string& value) { return "X" + Raw(static_cast<uint32_t>(value.size())) + value; };
  std::string pickle = std::string("\x80\x02") + "}(" + text("cfg") + "}" + text("state_dict") + "}(";
  std::vector<ZipMember> members;
  size_t end = 0;
  for (const auto& [tensor_name, tensor] : tensors) {
    const std::string key = absl::StrCat(members.size());
    const at::Tensor data = tensor.to(at::kFloat).contiguous();
    pickle += text(tensor_name) + PickledTensor(key, data);
    // torch.save puts tensors at multiples of 64 bytes, so that they can be used where they lie.
    constexpr size_t kAlignment = 64, kHeader = 30;
    const std::string entry = "x/data/" + key;
    const size_t begin = end + kHeader + entry.size(), padding = (kAlignment - begin % kAlignment) % kAlignment;
    end = begin + padding + data.nbytes();
    members.push_back({.name = entry,
                       .bytes = {static_cast<const char*>(data.data_ptr()), data.nbytes()},
                       .local_extra = std::string(padding, '\0')});
  }
  members.push_back({.name = "x/data.pkl", .bytes = pickle + "uu."});
  return folder.Write(name, MakeZip(members));
}

// A transcoder as SAELens saves it, with an input after the gain and a target that is not centred; where `scale` is not
// 1, with a scale of the activations. `bias` as in WriteTranscoderFile.
inline void WriteSaeLensFolder(const TestFolder& folder, int64_t d_model, int64_t d_sae, at::ScalarType type,
                               double scale = 1, double bias = -2.3) {
  const nlohmann::json config{{"architecture", "transcoder"},
                              {"d_in", d_model},
                              {"d_out", d_model},
                              {"d_sae", d_sae},
                              {"apply_b_dec_to_input", false},
                              {"normalize_activations", scale == 1 ? "none" : "expected_average_only_in"},
                              {"reshape_activations", "none"},
                              {"metadata", {{"hook_name", "blocks.1.ln2.hook_normalized"}}}};
  folder.Write("cfg.json", config.dump());
  folder.Write("activation_scaler.json", nlohmann::json{{"scaling_factor", scale}}.dump());
  TensorMap tensors{{"W_enc", at::randn({d_model, d_sae}) / std::sqrt(static_cast<double>(d_model))},
                    {"b_enc", at::full({d_sae}, bias)},
                    {"W_dec", at::randn({d_sae, d_model}) * 0.1},
                    {"b_dec", at::zeros({d_model})}};
  for (auto& [name, tensor] : tensors) tensor = tensor.to(type);
  EXPECT_OK(WriteSafetensors(folder.File("sae_weights.safetensors"), tensors, {}));
}

}  // namespace superpose
