// Processed weights as TransformerLens names and shapes them, brought into ours (Model::tensors()).
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// [heads, d_model, d_head] -> [d_model, heads * d_head]
inline at::Tensor JoinHeads(const at::Tensor& heads) {
  return heads.permute({1, 0, 2}).reshape({heads.size(1), heads.size(0) * heads.size(2)});
}

inline TensorMap LensEmbeddings(const TensorMap& lens) {
  return {{"W_E", lens.at("embed.W_E")},
          {"W_pos", lens.at("pos_embed.W_pos")},
          {"W_U", lens.at("unembed.W_U")},
          {"b_U", lens.at("unembed.b_U")}};
}

inline TensorMap LensLayer(const TensorMap& lens, int64_t layer) {
  const std::string block = absl::StrCat("blocks.", layer, ".");
  auto attn = [&](const char* name) { return lens.at(absl::StrCat(block, "attn.", name)); };
  TensorMap ours;
  ours[block + "W_QKV"] = at::cat({JoinHeads(attn("W_Q")), JoinHeads(attn("W_K")), JoinHeads(attn("W_V"))}, 1);
  ours[block + "b_QKV"] = at::cat({attn("b_Q"), attn("b_K"), attn("b_V")}).flatten();
  ours[block + "W_O"] = attn("W_O").flatten(0, 1);
  ours[block + "b_O"] = attn("b_O");
  for (const char* name : {"W_in", "b_in", "W_out", "b_out"})
    ours[block + name] = lens.at(absl::StrCat(block, "mlp.", name));
  return ours;
}

}  // namespace superpose
