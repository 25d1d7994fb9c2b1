// Folders as Hugging Face lays them out, whole and damaged: each made from the golden model.
#include <ATen/ATen.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/strip.h"
#include "lib/model/model.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

using Json = nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class ModelFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    golden_ = GoldenModel();
    ASSERT_TRUE(golden_);
    weights_ = GoldenTensors("model/model.safetensors");
    folder_.Write("config.json", Bytes(GoldenPath("model/config.json")));
  }
  absl::StatusOr<std::shared_ptr<const Model>> Load() const { return Model::Load(folder_.path(), at::kCPU); }
  absl::StatusOr<std::shared_ptr<const Model>> LoadWith(const TensorMap& weights) const {
    EXPECT_OK(WriteSafetensors(folder_.File("model.safetensors"), weights, {}));
    return Load();
  }
  // The weights in two shards and an index that names them.
  void WriteShards(const std::string& second_name) const {
    TensorMap shards[2];
    Json map = Json::object();
    size_t next = 0;
    for (const auto& [name, tensor] : weights_) {
      const size_t shard = next++ % 2;
      shards[shard][name] = tensor;
      map[name] = shard == 0 ? "model-00001-of-00002.safetensors" : second_name;
    }
    EXPECT_OK(WriteSafetensors(folder_.File("model-00001-of-00002.safetensors"), shards[0], {}));
    EXPECT_OK(WriteSafetensors(folder_.File("model-00002-of-00002.safetensors"), shards[1], {}));
    folder_.Write("model.safetensors.index.json", Json{{"metadata", Json::object()}, {"weight_map", map}}.dump());
  }
  void ExpectGolden(const absl::StatusOr<std::shared_ptr<const Model>>& model) const {
    ASSERT_OK(model);
    ASSERT_EQ((*model)->tensors().size(), golden_->tensors().size());
    for (const auto& [name, tensor] : golden_->tensors())
      EXPECT_TRUE(at::equal((*model)->tensor(name), tensor)) << name;
    EXPECT_EQ((*model)->content_hash(), golden_->content_hash());
  }

  TestFolder folder_;
  std::shared_ptr<const Model> golden_;
  TensorMap weights_;
};

TEST_F(ModelFolderTest, ShardsAreReadThroughTheIndex) {
  WriteShards("model-00002-of-00002.safetensors");
  ExpectGolden(Load());
}

TEST_F(ModelFolderTest, NamesMayLackThePrefix) {
  TensorMap bare;
  for (const auto& [name, tensor] : weights_) bare[std::string(absl::StripPrefix(name, "transformer."))] = tensor;
  ASSERT_EQ(bare.count("wte.weight"), 1U);
  ExpectGolden(LoadWith(bare));
}

TEST_F(ModelFolderTest, BuffersOfTheAttentionMaskArePassedOver) {
  weights_["transformer.h.0.attn.bias"] = at::ones({1, 1, 64, 64}, at::kBool);
  weights_["transformer.h.0.attn.masked_bias"] = at::scalar_tensor(-1e4);
  ExpectGolden(LoadWith(weights_));
}

TEST_F(ModelFolderTest, AnUnembeddingOfItsOwnIsUsedInsteadOfTheTiedOne) {
  weights_["lm_head.weight"] = weights_.at("transformer.wte.weight") * 2;
  ASSERT_OK_AND_ASSIGN(const auto model, LoadWith(weights_));
  EXPECT_LT(LargestError(model->tensor("W_U"), golden_->tensor("W_U") * 2), 1e-6);
  EXPECT_TRUE(at::equal(model->tensor("W_E"), golden_->tensor("W_E")));
  EXPECT_NE(model->content_hash(), golden_->content_hash());
}

TEST_F(ModelFolderTest, AnUnembeddingThatIsNotTiedMustBeThere) {
  Json config = Json::parse(Bytes(GoldenPath("model/config.json")));
  config["tie_word_embeddings"] = false;
  folder_.Write("config.json", config.dump());
  const auto model = LoadWith(weights_);
  EXPECT_THAT(model, IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
  EXPECT_THAT(model, MessageHas("lm_head.weight"));
  weights_["lm_head.weight"] = weights_.at("transformer.wte.weight");
  EXPECT_OK(LoadWith(weights_));
}

TEST_F(ModelFolderTest, HalfPrecisionWeightsAreProcessedFromWhatTheyHold) {
  TensorMap half, same;
  for (const auto& [name, tensor] : weights_) {
    half[name] = tensor.to(at::kBFloat16);
    same[name] = half[name].to(at::kFloat);
  }
  ASSERT_OK_AND_ASSIGN(const auto model, LoadWith(half));
  ASSERT_OK_AND_ASSIGN(const auto expected, LoadWith(same));
  for (const auto& [name, tensor] : expected->tensors()) EXPECT_TRUE(at::equal(model->tensor(name), tensor)) << name;
}

TEST_F(ModelFolderTest, AChangedWeightChangesTheContentHash) {
  at::Tensor bias = weights_.at("transformer.ln_f.bias").clone();
  bias[3] += 1e-3;
  weights_["transformer.ln_f.bias"] = bias;
  ASSERT_OK_AND_ASSIGN(const auto model, LoadWith(weights_));
  EXPECT_NE(model->content_hash(), golden_->content_hash());
}

TEST_F(ModelFolderTest, ItsContentHashTellsWhatComputesOtherwise) {
  const auto hash_with = [&](const Json& changes) {
    Json config = Json::parse(Bytes(GoldenPath("model/config.json")));
    config.update(changes);
    folder_.Write("config.json", config.dump());
    const auto model = LoadWith(weights_);
    EXPECT_OK(model) << changes;
    return model.ok() ? (*model)->content_hash() : "";
  };
  std::set<std::string> hashes = {golden_->content_hash()};
  const std::vector<Json> changes = {{{"n_head", 2}},
                                     {{"layer_norm_epsilon", 1e-6}},
                                     {{"bos_token_id", 0}},
                                     {{"eos_token_id", 0}},
                                     {{"activation_function", "relu"}},
                                     {{"scale_attn_weights", false}},
                                     {{"scale_attn_by_inverse_layer_idx", true}}};
  for (const Json& change : changes) EXPECT_TRUE(hashes.insert(hash_with(change)).second) << change;
  EXPECT_EQ(hash_with({{"_name_or_path", "mine"}, {"activation_function", "gelu_pytorch_tanh"}}),
            golden_->content_hash());
}

TEST_F(ModelFolderTest, ATensorThatIsThereTwiceIsCorrupt) {
  weights_["wpe.weight"] = weights_.at("transformer.wpe.weight") * 2;
  const auto model = LoadWith(weights_);
  EXPECT_THAT(model, IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(model, MessageHas("two tensors wpe.weight"));
}

TEST_F(ModelFolderTest, MoreLayersThanTensorsAreRefusedAtOnce) {
  Json config = Json::parse(Bytes(GoldenPath("model/config.json")));
  config["n_layer"] = 1 << 24;
  folder_.Write("config.json", config.dump());
  const auto model = LoadWith(weights_);
  EXPECT_THAT(model, IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
  EXPECT_THAT(model, MessageHas("n_layer is 16777216"));
}

TEST_F(ModelFolderTest, EveryMissingTensorIsNamed) {
  for (const char* name :
       {"wte.weight", "wpe.weight", "ln_f.bias", "h.0.ln_1.weight", "h.1.attn.c_attn.bias", "h.2.mlp.c_proj.weight"}) {
    TensorMap weights = weights_;
    ASSERT_EQ(weights.erase(std::string("transformer.") + name), 1U);
    const auto model = LoadWith(weights);
    EXPECT_THAT(model, IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
    EXPECT_THAT(model, MessageHas(name));
  }
}

TEST_F(ModelFolderTest, AWrongShapeIsNamedWithTheShapeThatIsWanted) {
  const std::pair<const char*, std::vector<int64_t>> wrong[] = {{"h.1.mlp.c_fc.weight", {128, 32}},
                                                                {"wte.weight", {255, 32}},
                                                                {"wpe.weight", {64, 32, 1}},
                                                                {"h.0.ln_2.bias", {}}};
  for (const auto& [name, shape] : wrong) {
    TensorMap weights = weights_;
    weights[std::string("transformer.") + name] = at::zeros(shape);
    const auto model = LoadWith(weights);
    EXPECT_THAT(model, IsError(kInvalid, reason::kTensorShapeMismatch));
    EXPECT_THAT(model, MessageHas(name));
  }
  weights_["lm_head.weight"] = at::zeros({256, 31});
  EXPECT_THAT(LoadWith(weights_), IsError(kInvalid, reason::kTensorShapeMismatch));
}

TEST_F(ModelFolderTest, NanAndInfinityAreNamed) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    TensorMap weights = weights_;
    at::Tensor damaged = weights.at("transformer.h.2.attn.c_proj.weight").clone();
    damaged[31][31] = value;
    weights["transformer.h.2.attn.c_proj.weight"] = damaged;
    const auto model = LoadWith(weights);
    EXPECT_THAT(model, IsError(kInvalid, reason::kTensorNotFinite));
    EXPECT_THAT(model, MessageHas("h.2.attn.c_proj.weight"));
  }
}

TEST_F(ModelFolderTest, IntegersAreNoWeights) {
  weights_["transformer.ln_f.bias"] = at::zeros({32}, at::kInt);
  EXPECT_THAT(LoadWith(weights_), IsError(kInvalid, reason::kFileUnsupported));
}

TEST_F(ModelFolderTest, AFolderWithoutWeightsOrConfigIsNamed) {
  const auto without_weights = Load();
  EXPECT_THAT(without_weights, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(without_weights, MessageHas("model.safetensors"));
  const auto without_config = Model::Load(folder_.File("nowhere"), at::kCPU);
  EXPECT_THAT(without_config, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(without_config, MessageHas("config.json"));
}

TEST_F(ModelFolderTest, AShardThatIsNotThereIsNamed) {
  WriteShards("model-00003-of-00002.safetensors");
  const auto model = Load();
  EXPECT_THAT(model, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(model, MessageHas("model-00003-of-00002.safetensors"));
}

TEST_F(ModelFolderTest, AnIndexCannotLeadOutOfTheFolder) {
  for (const char* name : {"../model.safetensors", "/etc/passwd", "shards/model.safetensors", "..", ".", ""}) {
    WriteShards(name);
    EXPECT_FALSE(Load().ok()) << name;
  }
  WriteShards("../model-00002-of-00002.safetensors");
  EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(ModelFolderTest, AnIndexThatIsNoIndexIsCorrupt) {
  for (const char* bytes : {"", "{", "[]", "{}", "{\"weight_map\": []}", "{\"weight_map\": {\"wte.weight\": 5}}"}) {
    folder_.Write("model.safetensors.index.json", bytes);
    EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt)) << bytes;
  }
}

TEST_F(ModelFolderTest, ATruncatedFileIsCorrupt) {
  const std::string bytes = Bytes(GoldenPath("model/model.safetensors"));
  for (const size_t size : {size_t{0}, size_t{7}, size_t{500}, bytes.size() - 1}) {
    folder_.Write("model.safetensors", bytes.substr(0, size));
    EXPECT_THAT(Load(), IsError(kInvalid, reason::kFileCorrupt)) << size;
  }
}

TEST_F(ModelFolderTest, ARefusedConfigIsRefusedBeforeTheWeightsAreRead) {
  Json config = Json::parse(Bytes(GoldenPath("model/config.json")));
  config["activation_function"] = "silu";
  folder_.Write("config.json", config.dump());
  EXPECT_THAT(Load(), IsError(absl::StatusCode::kFailedPrecondition, reason::kModelUnsupported));
}

}  // namespace
}  // namespace superpose
