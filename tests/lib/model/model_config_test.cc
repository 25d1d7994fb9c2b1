#include "lib/model/model_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

using Json = nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class ModelConfigTest : public testing::Test {
 protected:
  // The smallest config, with some fields set or (null) taken away.
  absl::StatusOr<ModelConfig> Read(const Json& changes = Json::object()) const {
    Json json = {{"n_embd", 24}, {"n_layer", 2}, {"n_head", 3}, {"vocab_size", 100}, {"n_positions", 16}};
    for (const auto& [field, value] : changes.items()) {
      json[field] = value;
      if (value == "absent") json.erase(field);
    }
    return ReadBytes(json.dump());
  }
  absl::StatusOr<ModelConfig> ReadBytes(const std::string& bytes) const {
    return ReadModelConfig(folder_.Write("config.json", bytes));
  }

  TestFolder folder_;
};

TEST_F(ModelConfigTest, FieldsThatAreNotThereHaveGpt2sDefaults) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read());
  EXPECT_EQ(config.d_model, 24);
  EXPECT_EQ(config.d_mlp, 96);
  EXPECT_EQ(config.n_layers, 2);
  EXPECT_EQ(config.n_heads, 3);
  EXPECT_EQ(config.n_positions, 16);
  EXPECT_EQ(config.vocab_size, 100);
  EXPECT_EQ(config.bos_token_id, 99);
  EXPECT_EQ(config.eos_token_id, 99);
  EXPECT_EQ(config.activation_function, "gelu_new");
  EXPECT_DOUBLE_EQ(config.layer_norm_epsilon, 1e-5);
  EXPECT_DOUBLE_EQ(config.attention_scale, 1 / std::sqrt(8.0));
  EXPECT_FALSE(config.scale_attention_by_inverse_layer);
  EXPECT_TRUE(config.tie_word_embeddings);
}

TEST_F(ModelConfigTest, FieldsThatAreThereAreTaken) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read({{"model_type", "gpt2"},
                                                       {"n_inner", 40},
                                                       {"bos_token_id", 0},
                                                       {"eos_token_id", 7},
                                                       {"layer_norm_epsilon", 1e-6},
                                                       {"activation_function", "relu"},
                                                       {"scale_attn_weights", false},
                                                       {"scale_attn_by_inverse_layer_idx", true},
                                                       {"tie_word_embeddings", false}}));
  EXPECT_EQ(config.d_mlp, 40);
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.eos_token_id, 7);
  EXPECT_DOUBLE_EQ(config.layer_norm_epsilon, 1e-6);
  EXPECT_EQ(config.activation_function, "relu");
  EXPECT_DOUBLE_EQ(config.attention_scale, 1.0);
  EXPECT_TRUE(config.scale_attention_by_inverse_layer);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST_F(ModelConfigTest, NullMeansTheDefault) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read({{"n_inner", nullptr}, {"bos_token_id", nullptr}}));
  EXPECT_EQ(config.d_mlp, 96);
  EXPECT_EQ(config.bos_token_id, 99);
}

TEST_F(ModelConfigTest, BothNamesOfTheTanhGeluAreOne) {
  ASSERT_OK_AND_ASSIGN(const ModelConfig config, Read({{"activation_function", "gelu_pytorch_tanh"}}));
  EXPECT_EQ(config.activation_function, "gelu_new");
}

TEST_F(ModelConfigTest, WhatCannotBeRepresentedIsRefusedByName) {
  const std::pair<const char*, Json> refused[] = {{"model_type", "llama"},
                                                  {"add_cross_attention", true},
                                                  {"activation_function", "silu"},
                                                  {"activation_function", "tanh"},
                                                  {"activation_function", ""}};
  for (const auto& [field, value] : refused) {
    const auto config = Read({{field, value}});
    EXPECT_THAT(config, IsError(kPrecondition, reason::kModelUnsupported)) << field << " " << value;
    EXPECT_THAT(config, MessageHas(field));
  }
}

TEST_F(ModelConfigTest, ValuesOutOfRangeAreRefusedByName) {
  const std::pair<const char*, Json> refused[] = {{"n_embd", 0},
                                                  {"n_embd", -24},
                                                  {"n_embd", 24.5},
                                                  {"n_embd", "24"},
                                                  {"n_embd", 25},
                                                  {"n_layer", 0},
                                                  {"n_head", 0},
                                                  {"n_head", 1LL << 40},
                                                  {"vocab_size", 0},
                                                  {"n_positions", 0},
                                                  {"n_positions", true},
                                                  {"n_inner", 0},
                                                  {"n_inner", "wide"},
                                                  {"bos_token_id", -1},
                                                  {"bos_token_id", 100},
                                                  {"eos_token_id", 100},
                                                  {"eos_token_id", "x"},
                                                  {"n_embd", UINT64_MAX},
                                                  {"layer_norm_epsilon", 0.0},
                                                  {"layer_norm_epsilon", -1e-5},
                                                  {"layer_norm_epsilon", 1.0}};
  for (const auto& [field, value] : refused) {
    const auto config = Read({{field, value}});
    EXPECT_THAT(config, IsError(kInvalid, reason::kFileCorrupt)) << field << " " << value;
    EXPECT_THAT(config, MessageHas(field));
  }
}

TEST_F(ModelConfigTest, ValuesOfTheWrongTypeAreNotTakenForTheDefault) {
  const std::pair<const char*, Json> refused[] = {{"model_type", 5},
                                                  {"activation_function", 5},
                                                  {"add_cross_attention", "yes"},
                                                  {"scale_attn_weights", 0},
                                                  {"tie_word_embeddings", "no"},
                                                  {"scale_attn_by_inverse_layer_idx", "true"},
                                                  {"layer_norm_epsilon", "1e-5"}};
  for (const auto& [field, value] : refused) {
    const auto config = Read({{field, value}});
    EXPECT_THAT(config, IsError(kInvalid, reason::kFileCorrupt)) << field << " " << value;
    EXPECT_THAT(config, MessageHas(field));
  }
}

TEST_F(ModelConfigTest, NeededFieldsThatAreMissingAreNamed) {
  for (const char* field : {"n_embd", "n_layer", "n_head", "vocab_size", "n_positions"}) {
    const auto config = Read({{field, "absent"}});
    EXPECT_THAT(config, IsError(kInvalid, reason::kFileCorrupt)) << field;
    EXPECT_THAT(config, MessageHas(field));
  }
}

TEST_F(ModelConfigTest, WhatIsNoJsonObjectIsCorrupt) {
  for (const std::string& bytes : {std::string(), std::string("{"), std::string("[]"), std::string("\0\0", 2),
                                   std::string(100000, '['), "{\"n_embd\":" + std::string(50, '[')}) {
    EXPECT_THAT(ReadBytes(bytes), IsError(kInvalid, reason::kFileCorrupt)) << bytes.substr(0, 20);
  }
}

TEST_F(ModelConfigTest, AFileThatIsNotThereIsNamed) {
  const auto config = ReadModelConfig(folder_.File("nowhere.json"));
  EXPECT_THAT(config, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
  EXPECT_THAT(config, MessageHas("nowhere.json"));
}

}  // namespace
}  // namespace superpose
