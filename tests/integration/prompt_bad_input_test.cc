// Prompt calls that ask for what is not there, or cannot be: each is refused with its code and reason, and the server
// goes on.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "superpose/v1/prompt_service.grpc.pb.h"
#include "tests/client/tiny_server_test.h"
#include "tests/integration/text_call.h"

namespace superpose::client {
namespace {

using absl::StatusCode;
constexpr auto kInvalid = StatusCode::kInvalidArgument;

struct BadCall {
  std::string request;
  StatusCode code;
  std::string reason;
  std::string in_message;
};

TextCall GetMlpTensors() { return Streamed(&v1::PromptService::Stub::GetMlpTensors); }
TextCall PredictNextTokens() { return Unary(&v1::PromptService::Stub::PredictNextTokens); }
TextCall Intervene() { return Unary(&v1::PromptService::Stub::Intervene); }

std::string Tokens(const std::vector<int>& ids, const std::vector<int>& lengths) {
  return absl::StrCat("tokens { token_ids: [", absl::StrJoin(ids, ", "), "] lengths: [", absl::StrJoin(lengths, ", "),
                      "] }");
}

// A prompt that is sound.
std::string Sound() { return absl::StrCat("prompt { ", Tokens({1, 2, 3, 4, 5}, {3, 2}), " } "); }

// What all three calls refuse, with the rest of a request that is sound.
std::vector<BadCall> BadPrompts(const std::string& rest) {
  auto of = [&rest](const std::string& prompt) { return absl::StrCat("prompt { ", prompt, " } ", rest); };
  return {
      {rest, kInvalid, "EMPTY_INPUT", "texts or tokens"},
      {of(""), kInvalid, "EMPTY_INPUT", "texts or tokens"},
      {of("model: 'models/-'"), kInvalid, "EMPTY_INPUT", "texts or tokens"},
      {of("tokens {}"), kInvalid, "EMPTY_INPUT", ""},
      {of("texts {}"), kInvalid, "EMPTY_INPUT", ""},
      {of("texts { texts: '' }"), kInvalid, "EMPTY_INPUT", "text 0"},
      {of("texts { texts: 'The cat' }"), StatusCode::kFailedPrecondition, "TOKENIZER_MISSING", "token ids"},
      {of("model: 'models/other' " + Tokens({1}, {1})), StatusCode::kNotFound, "MODEL_NOT_FOUND", "models/tiny"},
      {of("model: 'tiny' " + Tokens({1}, {1})), kInvalid, "NAME_INVALID", "models/{model}"},
      {of(Tokens({1, 2}, {2, 0})), kInvalid, "EMPTY_INPUT", "sequence 1"},
      {of(Tokens({1, 256}, {2})), kInvalid, "TOKEN_OUT_OF_RANGE", "256"},
      {of(Tokens({-1}, {1})), kInvalid, "TOKEN_OUT_OF_RANGE", "-1"},
      {of(Tokens(std::vector<int>(65, 1), {65})), kInvalid, "CONTEXT_EXCEEDED", "64"},
      {of(Tokens({1, 2}, {3})), kInvalid, "CONFIG_INVALID", "lengths"},
      {of(Tokens({1, 2}, {3, -1})), kInvalid, "CONFIG_INVALID", "lengths"},
      {of(Tokens(std::vector<int>(66, 1), {33, 33})), StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE", "64"},
  };
}

std::vector<BadCall> MlpRequests() {
  auto of = [](const std::string& fields) { return Sound() + fields; };
  return {
      {of("layer: 3 which: MLP_TENSOR_PRE"), kInvalid, "LAYER_OUT_OF_RANGE", "0 .. 2"},
      {of("layer: -1 which: MLP_TENSOR_PRE"), kInvalid, "LAYER_OUT_OF_RANGE", ""},
      {of("layer: 1"), kInvalid, "EMPTY_INPUT", "which"},
      {of("layer: 1 which: MLP_TENSOR_UNSPECIFIED"), kInvalid, "CONFIG_INVALID", "which"},
      {of("layer: 1 which: 8"), kInvalid, "CONFIG_INVALID", "8"},
      {of("layer: 1 which: -1"), kInvalid, "CONFIG_INVALID", "-1"},
      {of("layer: 1 which: MLP_TENSOR_MID"), kInvalid, "CONFIG_INVALID", "midcoder"},
      {of("layer: 1 which: [MLP_TENSOR_X_HAT, MLP_TENSOR_OUT_MIDCODER]"), kInvalid, "CONFIG_INVALID", "midcoder"},
      {of("layer: 0 which: MLP_TENSOR_OUT_TRANSCODER"), StatusCode::kNotFound, "TRANSCODER_NOT_FOUND", ""},
      {of("layer: 0 which: MLP_TENSOR_OUT_TRANSCODER transcoder: 'models/tiny/transcoders/layer1'"), kInvalid,
       "CONFIG_INVALID", "layer 1"},
      {of("layer: 0 which: MLP_TENSOR_PRE transcoder: 'models/tiny/transcoders/layer1'"), kInvalid, "CONFIG_INVALID",
       "layer 1"},
      {of("layer: 1 which: MLP_TENSOR_OUT_TRANSCODER transcoder: 'models/tiny/transcoders/other'"),
       StatusCode::kNotFound, "TRANSCODER_NOT_FOUND", "layer1"},
      {of("layer: 1 which: MLP_TENSOR_OUT_TRANSCODER transcoder: 'models/other/layers/1'"), StatusCode::kNotFound,
       "MODEL_NOT_FOUND", ""},
      {of("layer: 1 which: MLP_TENSOR_OUT_TRANSCODER transcoder: 'layer1'"), kInvalid, "NAME_INVALID", ""},
      {of("layer: 1 which: MLP_TENSOR_MID midcoder: 'midcoders/other'"), StatusCode::kNotFound, "MIDCODER_NOT_FOUND",
       ""},
      {of("layer: 1 which: MLP_TENSOR_MID midcoder: 'other'"), kInvalid, "NAME_INVALID", "midcoders/{midcoder}"},
  };
}

std::vector<BadCall> NextTokensRequests() {
  auto of = [](const std::string& fields) { return Sound() + fields; };
  return {
      {of("top_k: -1"), kInvalid, "CONFIG_INVALID", "top_k"},
      {of("top_k: 1001"), kInvalid, "CONFIG_INVALID", "1000"},
      {of("top_k: 0"), kInvalid, "CONFIG_INVALID", "top_k"},
      {of("token_ids: [0, 256]"), kInvalid, "TOKEN_OUT_OF_RANGE", "256"},
      {of("token_ids: -1"), kInvalid, "TOKEN_OUT_OF_RANGE", "-1"},
  };
}

// One setting of the tiny model's transcoder, with these fields.
std::string Setting(const std::string& fields) {
  return absl::StrCat("settings { transcoder: 'models/-/layers/1' ", fields, " } ");
}

std::vector<BadCall> Interventions() {
  auto of = [](const std::string& fields) { return Sound() + fields; };
  return {
      {of(""), kInvalid, "EMPTY_INPUT", "settings"},
      {of("settings {}"), kInvalid, "NAME_INVALID", ""},
      {of("settings { transcoder: 'models/tiny/transcoders/other' }"), StatusCode::kNotFound, "TRANSCODER_NOT_FOUND",
       "layer1"},
      {of("settings { transcoder: 'models/tiny/layers/0' }"), StatusCode::kNotFound, "TRANSCODER_NOT_FOUND", ""},
      {of("settings { transcoder: 'models/tiny/layers/3' }"), kInvalid, "LAYER_OUT_OF_RANGE", ""},
      {of("settings { transcoder: 'models/other/layers/1' }"), StatusCode::kNotFound, "MODEL_NOT_FOUND", ""},
      {of(Setting("feature_id: 256")), kInvalid, "FEATURE_OUT_OF_RANGE", "0 .. 255"},
      {of(Setting("feature_id: -1")), kInvalid, "FEATURE_OUT_OF_RANGE", ""},
      {of(Setting("value: -0.5")), kInvalid, "CONFIG_INVALID", "0 or more"},
      {of(Setting("value: nan")), kInvalid, "CONFIG_INVALID", "0 or more"},
      {of(Setting("value: inf")), kInvalid, "CONFIG_INVALID", "0 or more"},
      {of(Setting("positions: -1")), kInvalid, "CONFIG_INVALID", "position -1"},
      {of(Setting("positions: [0, 2]")), kInvalid, "CONFIG_INVALID", "sequence 1 has positions 0 .. 1"},
      {of(Setting("value: 1") + Setting("value: 2")), kInvalid, "CONFIG_INVALID", "twice"},
      {of(Setting("value: 1 positions: 1") + "settings { transcoder: 'models/tiny/transcoders/layer1' }"), kInvalid,
       "CONFIG_INVALID", "twice"},
      {of(Setting("value: 1") + "mode: 3"), kInvalid, "CONFIG_INVALID", "mode"},
      {of(Setting("value: 1") + "top_k: -1"), kInvalid, "CONFIG_INVALID", "top_k"},
      {of(Setting("value: 1") + "top_k: 1001"), kInvalid, "CONFIG_INVALID", "1000"},
  };
}

class PromptBadInputTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    channel_ = grpc::CreateChannel(server().address(), grpc::InsecureChannelCredentials());
  }

  // After everything that a test does to it, the server answers.
  void TearDown() override {
    EXPECT_OK(GetMlpTensors()(channel_, Sound() + "layer: 1 which: MLP_TENSOR_OUT_TRANSCODER"));
    EXPECT_OK(PredictNextTokens()(channel_, Sound()));
    EXPECT_OK(Intervene()(channel_, Sound() + Setting("feature_id: 3 value: 1")));
  }

  void ExpectRefused(const TextCall& call, const std::vector<BadCall>& requests) const {
    for (const BadCall& bad : requests) {
      const absl::Status status = call(channel_, bad.request);
      EXPECT_THAT(status, FailsWith(bad.code, bad.reason)) << bad.request.substr(0, 200);
      EXPECT_THAT(status, MessageHas(bad.in_message)) << bad.request.substr(0, 200);
    }
  }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(PromptBadInputTest, PromptsThatCannotBe) {
  ExpectRefused(GetMlpTensors(), BadPrompts("layer: 1 which: MLP_TENSOR_PRE"));
  ExpectRefused(PredictNextTokens(), BadPrompts(""));
  ExpectRefused(Intervene(), BadPrompts(Setting("value: 1")));
}

TEST_F(PromptBadInputTest, TensorsThatThereAreNot) { ExpectRefused(GetMlpTensors(), MlpRequests()); }

TEST_F(PromptBadInputTest, PredictionsThatCannotBeMade) { ExpectRefused(PredictNextTokens(), NextTokensRequests()); }

TEST_F(PromptBadInputTest, AnswersThatWouldNotFitAMessage) {
  // 64 positions x 70,000 tokens are 4.5 million log-probabilities.
  const std::string request =
      absl::StrCat("prompt { ", Tokens(std::vector<int>(64, 1), {64}), " } all_positions: true token_ids: [",
                   absl::StrJoin(std::vector<int>(70'000, 7), ", "), "]");
  ExpectRefused(PredictNextTokens(), {{request, StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE", "at a time"}});
}

TEST_F(PromptBadInputTest, InterventionsThatCannotBe) { ExpectRefused(Intervene(), Interventions()); }

TEST_F(PromptBadInputTest, AMidcoderThatIsOfAnotherLayerOrTranscoder) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().TrainMidcoder(ShortTraining()));
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client().WaitForJob(job.name()));
  const std::string midcoder = absl::StrCat("midcoder: '", end.trained_midcoders().midcoders(0), "' ");
  ExpectRefused(GetMlpTensors(),
                {{Sound() + midcoder + "layer: 0 which: MLP_TENSOR_MID", kInvalid, "CONFIG_INVALID", "of layer 1"},
                 {Sound() + midcoder + "layer: 2 which: MLP_TENSOR_PRE", kInvalid, "CONFIG_INVALID", "of layer 1"}});
  const std::string sound = Sound() + midcoder + "layer: 1 which: [MLP_TENSOR_MID, MLP_TENSOR_GATE]";
  EXPECT_OK(GetMlpTensors()(channel_, sound));
  ASSERT_OK(client().DeleteMidcoder(end.trained_midcoders().midcoders(0)));
  ExpectRefused(GetMlpTensors(), {{sound, StatusCode::kNotFound, "MIDCODER_NOT_FOUND", ""}});
}

TEST_F(PromptBadInputTest, ARequestWhoseTimeHasPassedIsNotRun) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::PredictNextTokensRequest request;
  *request.mutable_prompt() = TokenPrompt({{1, 2}});
  v1::PredictNextTokensResponse response;
  v1::PromptService::Stub stub(channel_);
  EXPECT_EQ(FromGrpc(stub.PredictNextTokens(&context, request, &response)).code(), StatusCode::kDeadlineExceeded);
}

TEST_F(PromptBadInputTest, AReaderThatGoesAwayInMidStreamIsForgotten) {
  grpc::ClientContext context;
  v1::GetMlpTensorsRequest request;
  *request.mutable_prompt() = TokenPrompt({std::vector<int32_t>(64, 1)});
  request.set_layer(1);
  for (const v1::MlpTensor which : {v1::MLP_TENSOR_PRE, v1::MLP_TENSOR_OUT, v1::MLP_TENSOR_X_HAT})
    request.add_which(which);
  v1::PromptService::Stub stub(channel_);
  auto reader = stub.GetMlpTensors(&context, request);
  v1::GetMlpTensorsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  context.TryCancel();
  while (reader->Read(&response)) continue;
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace superpose::client
