#include "lib/model/raw_weights.h"

#include <ATen/ATen.h>

#include <array>
#include <filesystem>
#include <set>

#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/check_tensor.h"
#include "lib/tensor_io/json_file.h"
#include "lib/tensor_io/pytorch_file.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

// How the weights of a folder are stored: in one file, or in several that an index names.
struct Layout {
  const char* file;
  const char* index;
  absl::StatusOr<TensorMap> (*read)(const std::string& path);
};

absl::StatusOr<TensorMap> ReadSafetensors(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  return file.tensors();
}

absl::StatusOr<TensorMap> ReadStateDict(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const PickleDocument document, ReadPytorchFile(path));
  auto tensors = TensorsOf(document.root());
  if (!tensors.ok()) return WithContext(tensors.status(), path);
  return tensors;
}

// In the order in which transformers looks for them.
constexpr std::array<Layout, 2> kLayouts = {{
    {"model.safetensors", "model.safetensors.index.json", ReadSafetensors},
    {"pytorch_model.bin", "pytorch_model.bin.index.json", ReadStateDict},
}};

// The shard files that an index names; only plain names inside the folder are followed.
absl::StatusOr<std::set<std::string>> ShardsOf(const std::string& index_path) {
  SUPERPOSE_ASSIGN_OR_RETURN(const nlohmann::json json, ReadJsonObject(index_path));
  if (!json.contains("weight_map") || !json["weight_map"].is_object()) {
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
  const fs::path root(folder);
  std::set<std::string> files;
  const Layout* layout = nullptr;
  for (const Layout& candidate : kLayouts) {
    layout = &candidate;
    std::error_code ignored;
    if (fs::exists(root / candidate.file, ignored)) {
      files = {candidate.file};
      break;
    }
    if (fs::exists(root / candidate.index, ignored)) {
      SUPERPOSE_ASSIGN_OR_RETURN(files, ShardsOf((root / candidate.index).string()));
      break;
    }
  }
  if (files.empty()) {
    return NotFound(reason::kFileNotFound, folder, " has neither model.safetensors nor pytorch_model.bin, whole or in ",
                    "shards with their index");
  }
  TensorMap tensors;
  for (const std::string& name : files) {
    SUPERPOSE_ASSIGN_OR_RETURN(const TensorMap file, layout->read((root / name).string()));
    for (const auto& [tensor_name, tensor] : file) {
      const std::string bare(absl::StripPrefix(tensor_name, "transformer."));
      if (!tensors.emplace(bare, tensor).second)
        return InvalidArgument(reason::kFileCorrupt, folder, " has two tensors ", bare, "; the second is in ", name);
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

}  // namespace

absl::StatusOr<TensorMap> ReadRawWeights(const std::string& folder, const ModelConfig& config) {
  SUPERPOSE_ASSIGN_OR_RETURN(TensorMap all, ReadAllTensors(folder));
  // Before a list of all that such a model needs is made.
  if (config.n_layers > static_cast<int64_t>(all.size())) {
    return NotFound(reason::kTensorMissing, folder, " has ", all.size(), " tensors, too few: n_layer is ",
                    config.n_layers);
  }
  TensorMap weights;
  auto shapes = ExpectedShapes(config);
  if (!config.tie_word_embeddings || all.count("lm_head.weight") > 0)
    shapes.push_back({"lm_head.weight", {config.vocab_size, config.d_model}});
  for (const auto& [name, shape] : shapes) {
    const absl::Status checked = CheckTensor(all, name, shape);
    if (!checked.ok()) return WithContext(checked, folder);
    weights[name] = all.at(name);
  }
  return weights;
}

}  // namespace superpose
