#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using absl::StatusCode;

const std::vector<std::vector<int32_t>> kSequences = {{255, 5, 6, 7}, {9, 10}};

v1::GetMlpTensorsRequest MlpRequest(const std::vector<v1::MlpTensor>& which) {
  v1::GetMlpTensorsRequest request;
  *request.mutable_prompt() = TokenPrompt(kSequences);
  request.set_layer(kTinyLayer);
  for (const v1::MlpTensor tensor : which) request.add_which(tensor);
  return request;
}

v1::FeatureSetting Setting(int32_t feature, float value) {
  v1::FeatureSetting setting;
  setting.set_transcoder(LayerName(kTinyLayer));
  setting.set_feature_id(feature);
  setting.set_value(value);
  return setting;
}

std::vector<float> ValuesOf(const Tensor& tensor) {
  const auto values = tensor.Values<float>();
  EXPECT_OK(values);
  return values.ok() ? std::vector<float>(values->begin(), values->end()) : std::vector<float>();
}

class PromptCallsTest : public TinyServerTest {
 protected:
  absl::StatusOr<std::string> TrainedMidcoder() const {
    const absl::StatusOr<v1::Job> job = client().TrainMidcoder(ShortTraining());
    if (!job.ok()) return job.status();
    const absl::StatusOr<v1::Job> end = client().WaitForJob(job->name());
    if (!end.ok()) return end.status();
    return end->trained_midcoders().midcoders(0);
  }
};

TEST_F(PromptCallsTest, TensorsComeWithTheirTokensAndShapes) {
  ASSERT_OK_AND_ASSIGN(const MlpTensors mlp,
                       client().GetMlpTensors(MlpRequest({v1::MLP_TENSOR_OUT_TRANSCODER, v1::MLP_TENSOR_PRE,
                                                          v1::MLP_TENSOR_GATE, v1::MLP_TENSOR_PRE})));
  EXPECT_THAT(mlp.tokens.token_ids(), testing::ElementsAre(255, 5, 6, 7, 9, 10));
  EXPECT_THAT(mlp.tokens.lengths(), testing::ElementsAre(4, 2));
  EXPECT_TRUE(mlp.token_texts.empty());
  EXPECT_EQ(mlp.provenance.model(), "models/tiny");
  EXPECT_EQ(mlp.provenance.transcoder(), "models/tiny/transcoders/layer1");
  ASSERT_EQ(mlp.tensors.size(), 3U);
  EXPECT_EQ(mlp.tensors.at(v1::MLP_TENSOR_OUT_TRANSCODER).shape, (std::vector<int64_t>{6, 32}));
  EXPECT_EQ(mlp.tensors.at(v1::MLP_TENSOR_PRE).shape, (std::vector<int64_t>{6, 128}));
  const std::vector<float> pre = ValuesOf(mlp.tensors.at(v1::MLP_TENSOR_PRE));
  const std::vector<float> gate = ValuesOf(mlp.tensors.at(v1::MLP_TENSOR_GATE));
  ASSERT_EQ(gate.size(), pre.size());
  for (size_t i = 0; i < pre.size(); ++i) EXPECT_EQ(gate[i], pre[i] > 0 ? 1 : 0);
}

TEST_F(PromptCallsTest, WithoutATranscoderNoneIsInTheProvenance) {
  ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, client().GetMlpTensors(MlpRequest({v1::MLP_TENSOR_X_HAT})));
  EXPECT_EQ(mlp.provenance.transcoder(), "");
  EXPECT_NE(mlp.provenance.model_hash(), "");
}

TEST_F(PromptCallsTest, AMidcodersOutputIsItsGatedMidThroughTheModel) {
  ASSERT_OK_AND_ASSIGN(const std::string name, TrainedMidcoder());
  v1::GetMlpTensorsRequest request = MlpRequest({v1::MLP_TENSOR_MID, v1::MLP_TENSOR_GATE, v1::MLP_TENSOR_OUT_MIDCODER});
  request.set_midcoder(name);
  // The second time its weights are at hand.
  for (int round = 0; round < 2; ++round) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp, client().GetMlpTensors(request));
    const std::vector<float> mid = ValuesOf(mlp.tensors.at(v1::MLP_TENSOR_MID));
    const std::vector<float> gate = ValuesOf(mlp.tensors.at(v1::MLP_TENSOR_GATE));
    const std::vector<float> out = ValuesOf(mlp.tensors.at(v1::MLP_TENSOR_OUT_MIDCODER));
    ASSERT_OK_AND_ASSIGN(const Tensor W_out_tensor, client().ReadTensor("models/tiny", "blocks.1.W_out"));
    ASSERT_OK_AND_ASSIGN(const Tensor bias_tensor, client().ReadTensor(name, "b_mid_out"));
    const std::vector<float> W_out = ValuesOf(W_out_tensor), bias = ValuesOf(bias_tensor);
    for (size_t row = 0; row < 6; ++row) {
      for (size_t column = 0; column < 32; ++column) {
        double expected = bias[column];
        for (size_t unit = 0; unit < 128; ++unit)
          expected += double{gate[row * 128 + unit]} * mid[row * 128 + unit] * W_out[unit * 32 + column];
        EXPECT_NEAR(out[row * 32 + column], expected, 1e-5);
      }
    }
  }
}

TEST_F(PromptCallsTest, PredictionsAreLogProbabilitiesOfTheWholeVocabulary) {
  v1::PredictNextTokensRequest request;
  *request.mutable_prompt() = TokenPrompt(kSequences);
  request.set_top_k(1000);
  ASSERT_OK_AND_ASSIGN(const v1::PredictNextTokensResponse response, client().PredictNextTokens(request));
  ASSERT_EQ(response.predictions_size(), 2);
  EXPECT_EQ(response.predictions(1).sequence(), 1);
  EXPECT_EQ(response.predictions(1).position(), 1);
  for (const v1::NextTokens& prediction : response.predictions()) {
    ASSERT_EQ(prediction.token_ids_size(), 256);
    double sum = 0;
    for (int i = 0; i < 256; ++i) {
      sum += std::exp(double{prediction.log_probabilities(i)});
      if (i > 0) {
        EXPECT_LE(prediction.log_probabilities(i), prediction.log_probabilities(i - 1));
      }
    }
    EXPECT_NEAR(sum, 1, 1e-5);
    EXPECT_TRUE(prediction.tokens().empty());
  }
  EXPECT_EQ(response.provenance().model(), "models/tiny");
}

TEST_F(PromptCallsTest, AllPositionsHaveTenAndTheTokensAskedFor) {
  v1::PredictNextTokensRequest request;
  *request.mutable_prompt() = TokenPrompt(kSequences);
  request.set_all_positions(true);
  request.add_token_ids(17);
  ASSERT_OK_AND_ASSIGN(const v1::PredictNextTokensResponse response, client().PredictNextTokens(request));
  ASSERT_EQ(response.predictions_size(), 6);
  EXPECT_EQ(response.predictions(4).sequence(), 1);
  EXPECT_EQ(response.predictions(4).position(), 0);
  for (const v1::NextTokens& prediction : response.predictions()) {
    ASSERT_EQ(prediction.token_ids_size(), 11);
    EXPECT_EQ(prediction.token_ids(10), 17);
  }
}

TEST_F(PromptCallsTest, SettingAFeatureToItsOwnActivationChangesNothing) {
  const ActivationsQuery query{.transcoders = {LayerName(kTinyLayer)}, .texts = {}, .sequences = {{255, 5, 6, 7}}};
  ASSERT_OK_AND_ASSIGN(const Activations activations, client().GetActivations(query));
  v1::InterveneRequest request;
  *request.mutable_prompt() = TokenPrompt({{255, 5, 6, 7}});
  const SparseRow row = activations.layers[0].activations.Row(2);
  ASSERT_GT(row.values.size(), 0U);
  for (size_t i = 0; i < row.values.size(); ++i) {
    *request.add_settings() = Setting(row.feature_ids[i], row.values[i]);
    request.mutable_settings(static_cast<int>(i))->add_positions(2);
  }
  ASSERT_OK_AND_ASSIGN(const v1::InterveneResponse response, client().Intervene(request));
  ASSERT_EQ(response.kl_size(), 4);
  for (const float kl : response.kl()) EXPECT_LT(kl, 1e-9);
  for (const float change : response.log_probability_change()) EXPECT_NEAR(change, 0, 1e-5);
}

TEST_F(PromptCallsTest, AnInterventionTellsWhatChangedAtEverySequence) {
  v1::InterveneRequest request;
  *request.mutable_prompt() = TokenPrompt(kSequences);
  *request.add_settings() = Setting(3, 12);
  request.set_top_k(4);
  for (const v1::InterventionMode mode : {v1::INTERVENTION_MODE_DELTA, v1::INTERVENTION_MODE_REPLACE}) {
    request.set_mode(mode);
    ASSERT_OK_AND_ASSIGN(const v1::InterveneResponse response, client().Intervene(request));
    EXPECT_THAT(response.tokens().lengths(), testing::ElementsAre(4, 2));
    ASSERT_EQ(response.kl_size(), 6);
    EXPECT_EQ(response.kl(0) > 0, mode == v1::INTERVENTION_MODE_REPLACE) << "BOS";
    for (int row = 1; row < 6; ++row) EXPECT_GT(response.kl(row), 0) << row;
    EXPECT_EQ(response.log_probability_change(3), 0) << "no token follows the last";
    EXPECT_EQ(response.log_probability_change(5), 0);
    ASSERT_EQ(response.effects_size(), 2);
    EXPECT_EQ(response.effects(1).sequence(), 1);
    EXPECT_GE(response.effects(1).token_ids_size(), 4);
    EXPECT_LE(response.effects(1).token_ids_size(), 8);
    ASSERT_EQ(response.provenance_size(), 1);
    EXPECT_EQ(response.provenance(0).transcoder(), "models/tiny/transcoders/layer1");
  }
}

TEST_F(PromptCallsTest, ErrorsHaveTheirReason) {
  EXPECT_THAT(client().GetMlpTensors(MlpRequest({})), FailsWith(StatusCode::kInvalidArgument, "EMPTY_INPUT"));
  EXPECT_THAT(client().PredictNextTokens({}), FailsWith(StatusCode::kInvalidArgument, "EMPTY_INPUT"));
  v1::InterveneRequest request;
  *request.mutable_prompt() = TokenPrompt(kSequences);
  *request.add_settings() = Setting(256, 1);
  EXPECT_THAT(client().Intervene(request), FailsWith(StatusCode::kInvalidArgument, "FEATURE_OUT_OF_RANGE"));
  *request.mutable_prompt() = TextPrompt({"The cat"});
  EXPECT_THAT(client().Intervene(request), FailsWith(StatusCode::kFailedPrecondition, "TOKENIZER_MISSING"));
}

// A server that takes as many tokens at once as it computes in three parts, and tensors of more than one chunk.
class LargePromptTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, TinyServer::Start("max_unary_tokens: 4096"));
    ASSERT_OK_AND_ASSIGN(client_, server_->Connect());
    for (int32_t i = 0; i < 45; ++i) {
      std::vector<int32_t>& sequence = sequences_.emplace_back(i == 20 ? 7 : 64);
      for (size_t j = 0; j < sequence.size(); ++j) sequence[j] = static_cast<int32_t>((i * 13 + j * 5) % 256);
    }
  }
  // Where sequence `index` begins among the rows of all.
  size_t RowOf(size_t index) const { return 64 * index - (index > 20 ? 57 : 0); }

  std::unique_ptr<TinyServer> server_;
  std::optional<Client> client_;
  std::vector<std::vector<int32_t>> sequences_;
};

TEST_F(LargePromptTest, TensorsOfSeveralPartsAndChunksAreThoseOfEachSequenceAlone) {
  v1::GetMlpTensorsRequest request = MlpRequest({v1::MLP_TENSOR_PRE, v1::MLP_TENSOR_OUT_TRANSCODER});
  *request.mutable_prompt() = TokenPrompt(sequences_);
  ASSERT_OK_AND_ASSIGN(const MlpTensors all, client_->GetMlpTensors(request));
  const std::vector<float> pre = ValuesOf(all.tensors.at(v1::MLP_TENSOR_PRE));
  ASSERT_EQ(pre.size(), RowOf(45) * 128);
  ASSERT_GT(pre.size() * sizeof(float), size_t{1} << 20);
  for (const size_t index : {0, 15, 16, 20, 21, 44}) {
    *request.mutable_prompt() = TokenPrompt({sequences_[index]});
    ASSERT_OK_AND_ASSIGN(const MlpTensors one, client_->GetMlpTensors(request));
    const std::vector<float> expected = ValuesOf(one.tensors.at(v1::MLP_TENSOR_PRE));
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(pre[RowOf(index) * 128 + i], expected[i], 1e-5) << index;
  }
}

TEST_F(LargePromptTest, PredictionsOfSeveralPartsAreThoseOfEachSequenceAlone) {
  v1::PredictNextTokensRequest request;
  *request.mutable_prompt() = TokenPrompt(sequences_);
  request.set_top_k(0);
  request.add_token_ids(17);
  ASSERT_OK_AND_ASSIGN(const v1::PredictNextTokensResponse all, client_->PredictNextTokens(request));
  ASSERT_EQ(all.predictions_size(), 45);
  for (const int index : {0, 15, 16, 20, 21, 44}) {
    EXPECT_EQ(all.predictions(index).sequence(), index);
    *request.mutable_prompt() = TokenPrompt({sequences_[index]});
    ASSERT_OK_AND_ASSIGN(const v1::PredictNextTokensResponse one, client_->PredictNextTokens(request));
    EXPECT_NEAR(all.predictions(index).log_probabilities(0), one.predictions(0).log_probabilities(0), 1e-5);
  }
}

TEST_F(LargePromptTest, InterventionsOfSeveralPartsAreThoseOfEachSequenceAlone) {
  v1::InterveneRequest request;
  *request.mutable_prompt() = TokenPrompt(sequences_);
  *request.add_settings() = Setting(3, 12);
  ASSERT_OK_AND_ASSIGN(const v1::InterveneResponse all, client_->Intervene(request));
  ASSERT_EQ(static_cast<size_t>(all.kl_size()), RowOf(45));
  ASSERT_EQ(all.effects_size(), 45);
  for (const int index : {0, 15, 16, 20, 21, 44}) {
    EXPECT_EQ(all.effects(index).sequence(), index);
    *request.mutable_prompt() = TokenPrompt({sequences_[index]});
    ASSERT_OK_AND_ASSIGN(const v1::InterveneResponse one, client_->Intervene(request));
    for (int i = 0; i < one.kl_size(); ++i) {
      const int row = static_cast<int>(RowOf(index)) + i;
      EXPECT_NEAR(all.kl(row), one.kl(i), 1e-5 + 1e-4 * one.kl(i)) << index;
      EXPECT_NEAR(all.log_probability_change(row), one.log_probability_change(i), 1e-4) << index;
    }
  }
}

}  // namespace
}  // namespace superpose::client
