#include "lib/model/raw_weights.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

// The shard files that an index names; only plain names inside the folder are followed.
absl::StatusOr<std::set<std::string>> ShardsOf(const std::string& index_path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(index_path));
  auto json = nlohmann::json::parse(file->text().begin(), file->text().end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    return InvalidArgument(reason::kFileCorrupt, index_path, " has no object weight_map");
  }
  std::set<std::string> shards;
  for (const auto& shard : json["weight_map"]) {
    std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (name.empty() || fs::path(name).filename() != name)
      return InvalidArgument(reason::kFileCorrupt, index_path, " names a shard that is no file name");
    shards.insert(name);
  }
  return shards;
}

absl::StatusOr<TensorMap> ReadAllTensors(const std::string& folder) {
  std::set<std::string> files = {"model.safetensors"};
  std::string index = (fs::path(folder) / "model.safetensors.index.json").string();
  if (!fs::exists(fs::path(folder) / "model.safetensors") && fs::exists(index)) {
    SUPERPOSE_ASSIGN_OR_RETURN(files, ShardsOf(index));
  }
  TensorMap tensors;
  for (const std::string& name : files) {
    SUPERPOSE_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open((fs::path(folder) / name).string()));
    for (const auto& [tensor_name, tensor] : file.tensors()) {
      tensors[std::string(absl::StripPrefix(tensor_name, "transformer."))] = tensor;
    }
  }
  return tensors;
}

using Shape = std::vector<int64_t>;

std::vector<std::pair<std::string, Shape>> ExpectedShapes(const ModelConfig& config) {
  int64_t d = config.d_model;
  std::vector<std::pair<std::string, Shape>> shapes = {{"wte.weight", {config.vocab_size, d}},
                                                       {"wpe.weight", {config.n_positions, d}},
                                                       {"ln_f.weight", {d}},
                                                       {"ln_f.bias", {d}}};
  for (int64_t layer = 0; layer < config.n_layers; ++layer) {
    std::string h = absl::StrCat("h.", layer, ".");
    for (const char* norm : {"ln_1", "ln_2"}) {
      shapes.push_back({h + norm + ".weight", {d}});
      shapes.push_back({h + norm + ".bias", {d}});
    }
    auto linear = [&](const char* name, int64_t in, int64_t out) {
      shapes.push_back({h + name + ".weight", {in, out}});
      shapes.push_back({h + name + ".bias", {out}});
    };
    linear("attn.c_attn", d, 3 * d);
    linear("attn.c_proj", d, d);
    linear("mlp.c_fc", d, config.d_mlp);
    linear("mlp.c_proj", config.d_mlp, d);
  }
  return shapes;
}

absl::Status CheckTensor(const std::string& name, const at::Tensor& tensor, const Shape& shape) {
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                           "]; config.json asks for [", absl::StrJoin(shape, ", "), "]");
  }
  if (!at::isFloatingType(tensor.scalar_type()))
    return InvalidArgument(reason::kFileUnsupported, name, " does not hold floating-point numbers");
  if (!at::isfinite(tensor.to(at::kFloat)).all().item<bool>())
    return InvalidArgument(reason::kTensorNotFinite, name, " holds NaN or infinity");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TensorMap> ReadRawWeights(const std::string& folder, const ModelConfig& config) {
  SUPERPOSE_ASSIGN_OR_RETURN(TensorMap all, ReadAllTensors(folder));
  TensorMap weights;
  auto shapes = ExpectedShapes(config);
  if (!config.tie_word_embeddings || all.count("lm_head.weight") > 0)
    shapes.push_back({"lm_head.weight", {config.vocab_size, config.d_model}});
  for (const auto& [name, shape] : shapes) {
    auto found = all.find(name);
    if (found == all.end()) return NotFound(reason::kTensorMissing, folder, " has no tensor ", name);
    SUPERPOSE_RETURN_IF_ERROR(CheckTensor(name, found->second, shape));
    weights[name] = found->second;
  }
  return weights;
}

}  // namespace superpose
