// Forms in which models come beside safetensors in float32: pytorch_model.bin, other precisions, the sizes of GPT-2.
#include <ATen/ATen.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/model/model.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::string Fixture(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/model/") + name; }

void ExpectSameTensors(const Model& model, const Model& expected) {
  EXPECT_EQ(model.tensors().size(), expected.tensors().size());
  for (const auto& [name, tensor] : expected.tensors()) EXPECT_TRUE(at::equal(model.tensor(name), tensor)) << name;
}

TEST(PytorchModelTest, OneFileHoldsTheSameModel) {
  ASSERT_OK_AND_ASSIGN(const auto model, Model::Load(Fixture("bare_pytorch"), at::kCPU));
  ASSERT_OK_AND_ASSIGN(const auto expected, Model::Load(Fixture("bare"), at::kCPU));
  ExpectSameTensors(*model, *expected);
  EXPECT_EQ(model->content_hash(), expected->content_hash());
}

TEST(PytorchModelTest, ShardsHoldTheSameModel) {
  ASSERT_OK_AND_ASSIGN(const auto model, Model::Load(Fixture("shards_pytorch"), at::kCPU));
  ASSERT_OK_AND_ASSIGN(const auto expected, Model::Load(Fixture("shards"), at::kCPU));
  ExpectSameTensors(*model, *expected);
}

TEST(PytorchModelTest, SafetensorsComeFirst) {
  const TestFolder folder;
  fs::copy(Fixture("bare"), folder.path(), fs::copy_options::recursive);
  folder.Write("pytorch_model.bin", "nonsense that nobody reads");
  EXPECT_OK(Model::Load(folder.path(), at::kCPU));
}

TEST(PytorchModelTest, ADamagedFileIsAnErrorThatNamesIt) {
  const TestFolder folder;
  fs::copy(Fixture("bare_pytorch"), folder.path(), fs::copy_options::recursive);
  fs::resize_file(folder.File("pytorch_model.bin"), 9000);
  const auto cut = Model::Load(folder.path(), at::kCPU);
  EXPECT_THAT(cut, IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(cut, MessageHas("pytorch_model.bin"));
  fs::copy(SUPERPOSE_TEST_DATA "/tensor_io/calls.pt", folder.File("pytorch_model.bin"),
           fs::copy_options::overwrite_existing);
  const auto hostile = Model::Load(folder.path(), at::kCPU);
  EXPECT_THAT(hostile, IsError(kInvalid, reason::kFileUnsupported));
  EXPECT_THAT(hostile, MessageHas("pytorch_model.bin"));
}

TEST(PytorchModelTest, AShardThatIsNotThereIsNamed) {
  const TestFolder folder;
  fs::copy(Fixture("shards_pytorch"), folder.path(), fs::copy_options::recursive);
  fs::remove(folder.File("pytorch_model-00002-of-00003.bin"));
  const auto model = Model::Load(folder.path(), at::kCPU);
  EXPECT_THAT(model, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(model, MessageHas("pytorch_model-00002-of-00003.bin"));
}

TEST(PytorchModelTest, AFolderWithoutWeightsSaysWhatWouldDo) {
  const TestFolder folder;
  fs::copy(Fixture("bare/config.json"), folder.File("config.json"));
  const auto model = Model::Load(folder.path(), at::kCPU);
  EXPECT_THAT(model, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(model, MessageHas("model.safetensors"));
  EXPECT_THAT(model, MessageHas("pytorch_model.bin"));
}

TEST(ModelPrecisionTest, EveryPrecisionIsProcessedFromWhatItHolds) {
  const TestFolder folder;
  fs::copy(GoldenPath("model/config.json"), folder.File("config.json"));
  const TensorMap weights = GoldenTensors("model/model.safetensors");
  const auto load = [&](at::ScalarType stored, at::ScalarType rounded) {
    TensorMap tensors;
    for (const auto& [name, tensor] : weights) tensors[name] = tensor.to(rounded).to(stored);
    EXPECT_OK(WriteSafetensors(folder.File("model.safetensors"), tensors, {}));
    return Model::Load(folder.path(), at::kCPU);
  };
  for (const auto type : {at::kHalf, at::kBFloat16}) {
    ASSERT_OK_AND_ASSIGN(const auto half, load(type, type));
    ASSERT_OK_AND_ASSIGN(const auto same, load(at::kDouble, type));
    ExpectSameTensors(*half, *same);
  }
  // Float64 is not rounded to float32 before it is processed.
  TensorMap fine = weights;
  for (auto& [name, tensor] : fine) tensor = tensor.to(at::kDouble) * (1 + 1e-9);
  ASSERT_OK(WriteSafetensors(folder.File("model.safetensors"), fine, {}));
  ASSERT_OK_AND_ASSIGN(const auto model, Model::Load(folder.path(), at::kCPU));
  EXPECT_TRUE(at::equal(model->mlp_norm(2).gain, fine.at("transformer.h.2.ln_2.weight")));
}

TEST(ModelPrecisionTest, TheNormBeforeEachMlpIsKept) {
  const auto model = GoldenModel();
  const TensorMap weights = GoldenTensors("model/model.safetensors");
  for (int64_t layer = 0; layer < model->config().n_layers; ++layer) {
    const std::string norm = absl::StrCat("transformer.h.", layer, ".ln_2.");
    EXPECT_TRUE(at::equal(model->mlp_norm(layer).gain, weights.at(norm + "weight").to(at::kDouble)));
    EXPECT_TRUE(at::equal(model->mlp_norm(layer).bias, weights.at(norm + "bias").to(at::kDouble)));
  }
}

struct Size {
  const char* name;
  int64_t layers, heads, d_model;
};

class Gpt2SizeTest : public testing::TestWithParam<Size> {};

// The config that Hugging Face gives for this size, with what ModelConfig does not read left out.
Json ConfigOf(int64_t layers, int64_t heads, int64_t d_model) {
  return {{"model_type", "gpt2"},      {"activation_function", "gelu_new"},
          {"n_layer", layers},         {"n_head", heads},
          {"n_embd", d_model},         {"n_ctx", 1024},
          {"n_positions", 1024},       {"vocab_size", 50257},
          {"bos_token_id", 50256},     {"eos_token_id", 50256},
          {"n_inner", nullptr},        {"layer_norm_epsilon", 1e-5},
          {"attn_pdrop", 0.1},         {"summary_type", "cls_index"},
          {"scale_attn_weights", true}};
}

TEST_P(Gpt2SizeTest, ItsConfigIsRead) {
  const TestFolder folder;
  const auto& [name, layers, heads, d_model] = GetParam();
  ASSERT_OK_AND_ASSIGN(const ModelConfig config,
                       ReadModelConfig(folder.Write("config.json", ConfigOf(layers, heads, d_model).dump())));
  EXPECT_EQ(config.d_model, d_model);
  EXPECT_EQ(config.d_mlp, 4 * d_model);
  EXPECT_EQ(config.n_layers, layers);
  EXPECT_EQ(config.n_heads, heads);
  EXPECT_EQ(config.vocab_size, 50257);
  EXPECT_DOUBLE_EQ(config.attention_scale, 0.125);  // heads of 64 in every size
}

// As many layers and heads, but heads of 2 and few tokens.
TEST_P(Gpt2SizeTest, AModelOfItsProportionsLoadsAndRuns) {
  at::manual_seed(5);
  const TestFolder folder;
  const auto& [name, layers, heads, unused] = GetParam();
  const int64_t d = 2 * heads, vocab = 19, positions = 6;
  Json json = ConfigOf(layers, heads, d);
  json.update(
      {{"vocab_size", vocab}, {"n_positions", positions}, {"bos_token_id", vocab - 1}, {"eos_token_id", vocab - 1}});
  folder.Write("config.json", json.dump());
  TensorMap weights = {{"wte.weight", at::randn({vocab, d})}, {"wpe.weight", at::randn({positions, d})}};
  const auto norm = [&](const std::string& norm_name) {
    weights[norm_name + ".weight"] = at::rand({d}) + 0.5;
    weights[norm_name + ".bias"] = at::randn({d});
  };
  const auto linear = [&](const std::string& linear_name, int64_t in, int64_t out) {
    weights[linear_name + ".weight"] = at::randn({in, out}) * 0.05;
    weights[linear_name + ".bias"] = at::randn({out}) * 0.05;
  };
  norm("ln_f");
  for (int64_t layer = 0; layer < layers; ++layer) {
    const std::string h = absl::StrCat("h.", layer, ".");
    norm(h + "ln_1");
    norm(h + "ln_2");
    linear(h + "attn.c_attn", d, 3 * d);
    linear(h + "attn.c_proj", d, d);
    linear(h + "mlp.c_fc", d, 4 * d);
    linear(h + "mlp.c_proj", 4 * d, d);
  }
  ASSERT_OK(WriteSafetensors(folder.File("model.safetensors"), weights, {}));
  ASSERT_OK_AND_ASSIGN(const auto model, Model::Load(folder.path(), at::kCPU));
  const at::Tensor tokens = at::randint(vocab, {2, positions}, at::kLong);
  ASSERT_OK_AND_ASSIGN(const at::Tensor resid, model->Run(tokens));
  EXPECT_EQ(resid.sizes(), at::IntArrayRef({2, positions, d}));
  EXPECT_TRUE(resid.isfinite().all().item<bool>());
  ASSERT_OK_AND_ASSIGN(const MlpTensors last, model->RunToMlp(tokens, layers - 1));
  EXPECT_EQ(last.pre.size(-1), 4 * d);
  EXPECT_THAT(model->CheckLayer(layers), IsError(kInvalid, reason::kLayerOutOfRange));
}

INSTANTIATE_TEST_SUITE_P(Gpt2, Gpt2SizeTest,
                         testing::Values(Size{"small", 12, 12, 768}, Size{"medium", 24, 16, 1024},
                                         Size{"large", 36, 20, 1280}, Size{"xl", 48, 25, 1600}),
                         [](const auto& size) { return std::string(size.param.name); });

}  // namespace
}  // namespace superpose
