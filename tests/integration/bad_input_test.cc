// Requests that ask for what is not there, or cannot be: each is refused with its code and reason, the server goes on,
// and the work of others does not notice.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "superpose/v1/corpus_service.grpc.pb.h"
#include "superpose/v1/feature_service.grpc.pb.h"
#include "superpose/v1/job_service.grpc.pb.h"
#include "superpose/v1/midcoder_service.grpc.pb.h"
#include "superpose/v1/model_service.grpc.pb.h"
#include "superpose/v1/statistics_service.grpc.pb.h"
#include "superpose/v1/tensor_service.grpc.pb.h"
#include "tests/client/tiny_server_test.h"
#include "tests/integration/bad_calls.h"

namespace superpose::client {
namespace {

using absl::StatusCode;

TextCall GetModel() { return Unary(&v1::ModelService::Stub::GetModel); }
TextCall GetCorpus() { return Unary(&v1::CorpusService::Stub::GetCorpus); }
TextCall GetMidcoder() { return Unary(&v1::MidcoderService::Stub::GetMidcoder); }
TextCall GetHistory() { return Unary(&v1::MidcoderService::Stub::GetMidcoderHistory); }
TextCall DeleteMidcoder() { return Unary(&v1::MidcoderService::Stub::DeleteMidcoder); }
TextCall Train() { return Unary(&v1::MidcoderService::Stub::TrainMidcoder); }
TextCall Evaluate() { return Unary(&v1::MidcoderService::Stub::EvaluateMidcoder); }
TextCall GetJob() { return Unary(&v1::JobService::Stub::GetJob); }
TextCall WatchJob() { return Streamed(&v1::JobService::Stub::WatchJob); }
TextCall CancelJob() { return Unary(&v1::JobService::Stub::CancelJob); }
TextCall DeleteJob() { return Unary(&v1::JobService::Stub::DeleteJob); }
TextCall GetActivations() { return Unary(&v1::FeatureService::Stub::GetActivations); }
TextCall StreamActivations() { return Streamed(&v1::FeatureService::Stub::StreamActivations); }
TextCall ReadTensor() { return Streamed(&v1::TensorService::Stub::ReadTensor); }

BadCalls UnknownNames() {
  return {
      {GetModel(), "name: 'models/other'", StatusCode::kNotFound, "MODEL_NOT_FOUND", "models/tiny"},
      {GetModel(), "name: 'models/tiny/layers/1'", StatusCode::kNotFound, "MODEL_NOT_FOUND", ""},
      {GetModel(), "name: '../tiny'", StatusCode::kInvalidArgument, "NAME_INVALID", "models/{model}"},
      {GetCorpus(), "name: 'corpora/other'", StatusCode::kNotFound, "CORPUS_NOT_FOUND", "corpora/rows"},
      {GetCorpus(), "name: 'rows'", StatusCode::kInvalidArgument, "NAME_INVALID", "corpora/{corpus}"},
      {GetMidcoder(), "name: 'midcoders/other'", StatusCode::kNotFound, "MIDCODER_NOT_FOUND", ""},
      {GetMidcoder(), "name: 'midcoders/../jobs'", StatusCode::kInvalidArgument, "NAME_INVALID", ""},
      {GetMidcoder(), "", StatusCode::kInvalidArgument, "NAME_INVALID", ""},
      {GetHistory(), "name: 'midcoders/other'", StatusCode::kNotFound, "MIDCODER_NOT_FOUND", ""},
      {DeleteMidcoder(), "name: 'midcoders/..'", StatusCode::kNotFound, "MIDCODER_NOT_FOUND", ""},
      {GetJob(), "name: 'jobs/other'", StatusCode::kNotFound, "JOB_NOT_FOUND", ""},
      {GetJob(), "name: 'other'", StatusCode::kInvalidArgument, "NAME_INVALID", "jobs/{job}"},
      {WatchJob(), "name: 'jobs/other'", StatusCode::kNotFound, "JOB_NOT_FOUND", ""},
      {WatchJob(), "", StatusCode::kInvalidArgument, "NAME_INVALID", ""},
      {CancelJob(), "name: 'jobs/other'", StatusCode::kNotFound, "JOB_NOT_FOUND", ""},
      {CancelJob(), "name: 'midcoders/1'", StatusCode::kInvalidArgument, "NAME_INVALID", ""},
      {DeleteJob(), "name: 'jobs/..'", StatusCode::kNotFound, "JOB_NOT_FOUND", ""},
      {DeleteJob(), "name: '/'", StatusCode::kInvalidArgument, "NAME_INVALID", ""},
      {Evaluate(), "spec { midcoder: 'midcoders/other' }", StatusCode::kNotFound, "MIDCODER_NOT_FOUND", ""},
      {Evaluate(), "spec {}", StatusCode::kInvalidArgument, "NAME_INVALID", ""},
  };
}

// A query of the tiny model's transcoder.
std::string Query(const std::string& fields) {
  return absl::StrCat("query { transcoders: 'models/-/layers/1' ", fields, " }");
}

std::string QueryOf(const std::string& transcoder) {
  return absl::StrCat("query { transcoders: '", transcoder, "' tokens { token_ids: 1 lengths: 1 } }");
}

std::string Tokens(const std::vector<int>& ids, const std::vector<int>& lengths) {
  return absl::StrCat("tokens { token_ids: [", absl::StrJoin(ids, ", "), "] lengths: [", absl::StrJoin(lengths, ", "),
                      "] }");
}

// What GetActivations and StreamActivations refuse alike.
BadCalls ActivationQueries(const TextCall& call) {
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  const std::string sound = Tokens({1, 2}, {2});
  return {
      {call, QueryOf("models/other/layers/1"), StatusCode::kNotFound, "MODEL_NOT_FOUND", ""},
      {call, QueryOf("models/tiny/transcoders/other"), StatusCode::kNotFound, "TRANSCODER_NOT_FOUND", "layer1"},
      {call, QueryOf("models/tiny/layers/0"), StatusCode::kNotFound, "TRANSCODER_NOT_FOUND", ""},
      {call, QueryOf("models/tiny/layers/3"), kInvalid, "LAYER_OUT_OF_RANGE", "0 .. 2"},
      {call, QueryOf("models/tiny/layers/-1"), kInvalid, "LAYER_OUT_OF_RANGE", ""},
      {call, QueryOf("models/tiny/layers/99999999999999999999"), kInvalid, "NAME_INVALID", ""},
      {call, QueryOf("models/tiny/layers/one"), kInvalid, "NAME_INVALID", ""},
      {call, QueryOf("models/tiny"), kInvalid, "NAME_INVALID", "models/{model}/layers/{n}"},
      {call, "query { " + sound + " }", kInvalid, "EMPTY_INPUT", "transcoders"},
      {call, "", kInvalid, "EMPTY_INPUT", ""},
      {call, Query(""), kInvalid, "EMPTY_INPUT", ""},
      {call, Query("tokens {}"), kInvalid, "EMPTY_INPUT", ""},
      {call, Query("texts {}"), kInvalid, "EMPTY_INPUT", ""},
      {call, Query("texts { texts: '' }"), kInvalid, "EMPTY_INPUT", ""},
      {call, Query("texts { texts: 'The cat' }"), StatusCode::kFailedPrecondition, "TOKENIZER_MISSING", "token ids"},
      {call, Query(Tokens({1, 2}, {2, 0})), kInvalid, "EMPTY_INPUT", "sequence 1"},
      {call, Query(Tokens({1, 256}, {2})), kInvalid, "TOKEN_OUT_OF_RANGE", "256"},
      {call, Query(Tokens({-1, 1}, {2})), kInvalid, "TOKEN_OUT_OF_RANGE", "-1"},
      {call, Query(Tokens(std::vector<int>(65, 1), {65})), kInvalid, "CONTEXT_EXCEEDED", "64"},
      {call, Query(Tokens({1, 2, 3}, {2})), kInvalid, "CONFIG_INVALID", "lengths"},
      {call, Query(Tokens({1, 2}, {3})), kInvalid, "CONFIG_INVALID", "lengths"},
      {call, Query(Tokens({1, 2}, {3, -1})), kInvalid, "CONFIG_INVALID", "lengths"},
      {call, Query(Tokens({1, 2}, {2147483647, 2147483647})), kInvalid, "CONFIG_INVALID", "lengths"},
      {call, Query(sound + " transcoders: 'models/tiny/transcoders/layer1'"), kInvalid, "CONFIG_INVALID", "twice"},
      {call, Query(sound + " top_k: -1"), kInvalid, "CONFIG_INVALID", "top_k"},
      {call, Query(sound + " feature_ids: [0, 256]"), kInvalid, "FEATURE_OUT_OF_RANGE", "255"},
      {call, Query(sound + " feature_ids: -1"), kInvalid, "FEATURE_OUT_OF_RANGE", ""},
      {call, Query(sound + " feature_ids: 1 features {}"), kInvalid, "CONFIG_INVALID", "both set"},
      {call, Query(sound + " features { ids { values: 256 } }"), kInvalid, "FEATURE_OUT_OF_RANGE", "256"},
      {call, Query(sound + " features { range { stop: 257 } }"), kInvalid, "FEATURE_OUT_OF_RANGE", "257"},
      {call, Query(sound + " features { band { low: 2 } }"), StatusCode::kFailedPrecondition, "EMPTY_SELECTION", ""},
      {call, Query(sound + " features { band { by: 77 } }"), kInvalid, "CONFIG_INVALID", "77"},
      {call, Query(sound + " features { band { low: nan } }"), kInvalid, "CONFIG_INVALID", "NaN"},
      {call, Query(sound + " features { band { by: FREQUENCY_SOURCE_SNAPSHOT } }"), StatusCode::kFailedPrecondition,
       "FREQUENCIES_MISSING", ""},
  };
}

BadCalls TextsOfAModelWithoutTokenizer() {
  const TextCall tokenize = Unary(&v1::ModelService::Stub::Tokenize);
  const TextCall detokenize = Unary(&v1::ModelService::Stub::Detokenize);
  return {
      {tokenize, "model: 'models/-' texts: 'The cat'", StatusCode::kFailedPrecondition, "TOKENIZER_MISSING", ""},
      {tokenize, "model: 'models/-'", StatusCode::kInvalidArgument, "EMPTY_INPUT", "texts"},
      {tokenize, "model: 'models/other' texts: 'x'", StatusCode::kNotFound, "MODEL_NOT_FOUND", ""},
      {detokenize, "model: 'models/-' token_ids: 1", StatusCode::kFailedPrecondition, "TOKENIZER_MISSING", ""},
  };
}

// A training request that is sound but for `fields`.
std::string Training(const std::string& fields) {
  return absl::StrCat("spec { transcoders: 'models/-/layers/1' corpus: 'corpora/rows' ", fields, " }");
}

BadCalls TrainingSpecs() {
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  BadCalls calls = {
      {Train(), "", kInvalid, "EMPTY_INPUT", "transcoders"},
      {Train(), "spec { corpus: 'corpora/rows' }", kInvalid, "EMPTY_INPUT", "transcoders"},
      {Train(), "spec { transcoders: 'models/-/layers/1' }", kInvalid, "NAME_INVALID", "corpora/{corpus}"},
      {Train(), "spec { transcoders: 'models/-/layers/1' corpus: 'corpora/x' }", StatusCode::kNotFound,
       "CORPUS_NOT_FOUND", ""},
      {Train(), "spec { transcoders: 'models/-/layers/2' corpus: 'corpora/rows' }", StatusCode::kNotFound,
       "TRANSCODER_NOT_FOUND", ""},
      {Train(), "spec { transcoders: 'models/-/layers/9' corpus: 'corpora/rows' }", kInvalid, "LAYER_OUT_OF_RANGE", ""},
      {Train(), Training("context_length: 65"), kInvalid, "CONTEXT_EXCEEDED", "64"},
  };
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"transcoders: 'models/tiny/transcoders/layer1'", "twice"},
      {"steps: 0", "steps"},
      {"steps: -1", "steps"},
      {"steps: 9223372036854775807", "steps"},
      {"epochs: 0", "epochs"},
      {"epochs: 9223372036854775807", "epochs"},
      {"epochs: 1000000000 steps_per_epoch: 1000000000", "steps"},
      {"train_tokens: 0", "train_tokens"},
      // Of 32 tokens a sequence and 8 sequences a step this epoch has 2^64 tokens.
      {"train_tokens: 1 batch_size: 8 steps_per_epoch: 72057594037927936", "steps_per_epoch"},
      {"steps_per_epoch: 0", "steps_per_epoch"},
      {"batch_size: 0", "batch_size"},
      {"batch_size: -32", "batch_size"},
      {"batch_size: 9223372036854775807", "batch_size"},
      {"context_length: 0", "context_length"},
      {"context_length: -1", "context_length"},
      {"context_length: 16", "32"},
      {"lr: 0", "lr"},
      {"lr: -0.001", "lr"},
      {"lr: nan", "lr"},
      {"lr: inf", "lr"},
      {"weight_decay: -1", "weight_decay"},
      {"weight_decay: nan", "weight_decay"},
      {"lr: 0.1 weight_decay: 10", "weight_decay"},
      {"adam_eps: 0", "adam_eps"},
      {"mse_out_param: nan", "mse_out_param"},
      {"mid_form: 77", "mid_form"},
      {"gate: -1", "gate"},
      {"order: 3", "order"},
      {"statistics { groups: 77 }", "77"},
      {"statistics { keep_last: 0 }", "keep_last"},
      {"statistics { snapshot_every_tokens: -1 }", "snapshot_every_tokens"},
      {"statistics { pair_features { ids { values: [1, 1] } } }", "more than once"},
      {"statistics {} grid { lr: [0.1, 0.2] }", "statistics"},
  };
  for (const auto& [fields, in_message] : settings)
    calls.push_back({Train(), Training(fields), kInvalid, "CONFIG_INVALID", in_message});
  return calls;
}

BadCalls Pages() {
  BadCalls calls;
  const std::vector<TextCall> lists = {
      Unary(&v1::ModelService::Stub::ListModels), Unary(&v1::CorpusService::Stub::ListCorpora),
      Unary(&v1::MidcoderService::Stub::ListMidcoders), Unary(&v1::JobService::Stub::ListJobs),
      Unary(&v1::StatisticsService::Stub::ListSnapshots)};
  for (const TextCall& list : lists) {
    calls.push_back({list, "page_size: -1", StatusCode::kInvalidArgument, "CONFIG_INVALID", "page_size"});
    for (const char* token : {"made up", "-1", "0", "1 OR 1=1", "99999999999999999999"}) {
      calls.push_back({list, absl::StrCat("page_token: '", token, "'"), StatusCode::kInvalidArgument,
                       "PAGE_TOKEN_INVALID", "page_token"});
    }
  }
  return calls;
}

BadCalls TensorReads() {
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  // float32 [256, 32]
  auto of = [](const std::string& fields) {
    return absl::StrCat("resource: 'models/tiny/transcoders/layer1' tensor: 'W_dec' ", fields);
  };
  BadCalls calls = {
      {ReadTensor(), "resource: 'models/other' tensor: 'W_dec'", StatusCode::kNotFound, "MODEL_NOT_FOUND", ""},
      {ReadTensor(), "resource: 'midcoders/other' tensor: 'W_mid'", StatusCode::kNotFound, "MIDCODER_NOT_FOUND", ""},
      {ReadTensor(), "resource: 'jobs/1' tensor: 'W_mid'", StatusCode::kNotFound, "JOB_NOT_FOUND", ""},
      {ReadTensor(), "resource: 'snapshots/other' tensor: 'counts'", StatusCode::kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {ReadTensor(), "resource: 'answers/1' tensor: 'W_mid'", kInvalid, "NAME_INVALID", "jobs/{job}"},
      {ReadTensor(), "resource: 'models/tiny/transcoders/layer1' tensor: 'W'", StatusCode::kNotFound, "TENSOR_MISSING",
       "W_dec"},
  };
  for (const char* fields : {
           "slices { range { start: 0 stop: 257 } }",
           "slices { range { start: -1 stop: 2 } }",
           "slices { range { start: 3 stop: 2 } }",
           "slices { range { start: 300 stop: 301 } }",
           "slices { range { start: -9223372036854775808 stop: 9223372036854775807 } }",
           "slices { indices { values: 256 } }",
           "slices { indices { values: [0, -1] } }",
           "slices {} slices { range { start: 0 stop: 33 } }",
           "slices {} slices {} slices {}",
           "start_offset: -4",
           "start_offset: 32772",
           "start_offset: 2",
           "start_offset: 9223372036854775807",
       }) {
    calls.push_back({ReadTensor(), of(fields), kInvalid, "SLICE_OUT_OF_RANGE", ""});
  }
  return calls;
}

class BadInputTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    channel_ = grpc::CreateChannel(server().address(), grpc::InsecureChannelCredentials());
  }

  // After everything that a test does to it, the server answers.
  void TearDown() override {
    EXPECT_OK(client().GetServerInfo());
    ActivationsQuery sound;
    sound.transcoders = {LayerName(kTinyLayer)};
    sound.sequences = {{1, 2, 3}};
    EXPECT_OK(client().GetActivations(sound));
  }

  void ExpectRefused(const BadCalls& calls) const { superpose::ExpectRefused(channel_, calls); }

  absl::StatusOr<v1::Job> Trained(const v1::MidcoderTrainingSpec& spec) const {
    absl::StatusOr<v1::Job> job = client().TrainMidcoder(spec);
    return job.ok() ? client().WaitForJob(job->name()) : job;
  }

  std::string WeightsHash(const v1::Job& job) const {
    const auto midcoder = client().GetMidcoder(job.trained_midcoders().midcoders(0));
    EXPECT_OK(midcoder);
    return midcoder.ok() ? midcoder->content_hash() : "";
  }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(BadInputTest, NamesOfNothingAndNamesThatAreNone) { ExpectRefused(UnknownNames()); }

TEST_F(BadInputTest, ActivationsThatCannotBeComputed) { ExpectRefused(ActivationQueries(GetActivations())); }

TEST_F(BadInputTest, ActivationsThatCannotBeStreamed) { ExpectRefused(ActivationQueries(StreamActivations())); }

TEST_F(BadInputTest, TextWhereThereIsNoTokenizer) { ExpectRefused(TextsOfAModelWithoutTokenizer()); }

TEST_F(BadInputTest, MoreTokensThanAUnaryCallTakesCanBeStreamed) {
  const std::string query = Query(Tokens(std::vector<int>(90, 1), {30, 30, 30}));
  ExpectRefused({{GetActivations(), query, StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE", "StreamActivations"}});
  EXPECT_OK(StreamActivations()(channel_, query));
}

TEST_F(BadInputTest, AHundredThousandTokensAreRefusedAtOnceOrStreamed) {
  const std::string tokens = Tokens(std::vector<int>(100'000, 1), std::vector<int>(2000, 50));
  ExpectRefused({{GetActivations(), Query(tokens), StatusCode::kResourceExhausted, "REQUEST_TOO_LARGE", "100000"}});
  EXPECT_OK(StreamActivations()(channel_, Query(tokens + " top_k: 1")));
  const std::string one = Tokens(std::vector<int>(100'000, 1), {100'000});
  ExpectRefused({{StreamActivations(), Query(one), StatusCode::kInvalidArgument, "CONTEXT_EXCEEDED", "64"}});
}

// gRPC itself refuses what is no message of the contract, before the server sees it.
TEST_F(BadInputTest, AMessageOverTheLimitIsRefused) {
  ASSERT_OK_AND_ASSIGN(const v1::GetServerInfoResponse info, client().GetServerInfo());
  const std::string text(static_cast<size_t>(info.max_message_bytes()), 'a');
  const absl::Status status = GetActivations()(channel_, Query("texts { texts: '" + text + "' }"));
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted) << status;
}

TEST_F(BadInputTest, TextThatIsNoUtf8IsRefused) {
  for (const absl::Status& status :
       {GetActivations()(channel_, Query("texts { texts: '\\xff' }")), GetModel()(channel_, "name: 'models/\\xff'")}) {
    EXPECT_EQ(status.code(), StatusCode::kUnimplemented) << status;
    EXPECT_THAT(status, ::testing::Not(MessageHas("the test's request"))) << "it was sent";
  }
}

TEST_F(BadInputTest, ClientsThatVanishInMidStreamAreForgotten) {
  const std::string tokens = Query(Tokens(std::vector<int>(100'000, 1), std::vector<int>(2000, 50)));
  v1::StreamActivationsRequest request;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(tokens, &request));
  for (int i = 0; i < 20; ++i) {
    v1::FeatureService::Stub stub(channel_);
    grpc::ClientContext context;
    const auto reader = stub.StreamActivations(&context, request);
    v1::StreamActivationsResponse part;
    ASSERT_TRUE(reader->Read(&part));
    context.TryCancel();
    while (reader->Read(&part)) continue;
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(BadInputTest, ARequestWhoseDeadlineHasPassedIsNotAnswered) {
  v1::FeatureService::Stub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::GetActivationsRequest request;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(Query(Tokens({1, 2}, {2})), &request));
  v1::GetActivationsResponse response;
  EXPECT_EQ(stub.GetActivations(&context, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(BadInputTest, TrainingThatCannotBeDoneIsRefusedBeforeItIsQueued) {
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Job> before, client().ListJobs());
  ExpectRefused(TrainingSpecs());
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Job> after, client().ListJobs());
  EXPECT_EQ(after.size(), before.size());
}

TEST_F(BadInputTest, EvaluationsThatCannotBeDoneAreRefusedBeforeTheyAreQueued) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Trained(ShortTraining()));
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  auto of = [&job](const std::string& fields) {
    return absl::StrCat("spec { midcoder: '", job.trained_midcoders().midcoders(0), "' ", fields, " }");
  };
  ExpectRefused({
      {Evaluate(), of("corpus: 'corpora/other'"), StatusCode::kNotFound, "CORPUS_NOT_FOUND", ""},
      {Evaluate(), of("tokens: 0"), kInvalid, "CONFIG_INVALID", "tokens"},
      {Evaluate(), of("tokens: -5"), kInvalid, "CONFIG_INVALID", "tokens"},
      {Evaluate(), of("batch_size: 0"), kInvalid, "CONFIG_INVALID", "batch_size"},
      {Evaluate(), of("batch_size: 9223372036854775807"), kInvalid, "CONFIG_INVALID", "batch_size"},
      {Evaluate(), of("context_length: 1"), kInvalid, "CONFIG_INVALID", "context_length"},
      {Evaluate(), of("context_length: 65"), kInvalid, "CONTEXT_EXCEEDED", "64"},
      {Evaluate(), of("split: CORPUS_SPLIT_HELDOUT"), kInvalid, "CONFIG_INVALID", "heldout"},
      {Evaluate(), of("split: 9"), kInvalid, "CONFIG_INVALID", "split"},
  });
}

TEST_F(BadInputTest, PagesThatDoNotExist) { ExpectRefused(Pages()); }

TEST_F(BadInputTest, PagesOfAHistoryThatDoNotExist) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Trained(ShortTraining()));
  const std::string name = absl::StrCat("name: '", job.trained_midcoders().midcoders(0), "' ");
  ExpectRefused({
      {GetHistory(), name + "page_size: -1", StatusCode::kInvalidArgument, "CONFIG_INVALID", "page_size"},
      {GetHistory(), name + "page_token: '-3'", StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID", ""},
      {GetHistory(), name + "page_token: 'x'", StatusCode::kInvalidArgument, "PAGE_TOKEN_INVALID", ""},
  });
  EXPECT_OK(GetHistory()(channel_, name + "page_token: '9223372036854775807'"));
}

TEST_F(BadInputTest, PartsOfTensorsThatDoNotExist) { ExpectRefused(TensorReads()); }

TEST_F(BadInputTest, ARequestIdStandsForOneRequest) {
  const SubmitOptions options{.request_id = "bad-input"};
  ASSERT_OK_AND_ASSIGN(const v1::Job first, client().TrainMidcoder(ShortTraining(), options));
  ASSERT_OK_AND_ASSIGN(const v1::Job again, client().TrainMidcoder(ShortTraining(), options));
  EXPECT_EQ(again.name(), first.name());
  EXPECT_THAT(client().TrainMidcoder(LongTraining(), options),
              FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client().WaitForJob(first.name()));
  v1::MidcoderEvaluationSpec evaluation;
  evaluation.set_midcoder(end.trained_midcoders().midcoders(0));
  EXPECT_THAT(client().EvaluateMidcoder(evaluation, options),
              FailsWith(StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
  ASSERT_OK_AND_ASSIGN(const v1::Job later, client().TrainMidcoder(ShortTraining(), options));
  EXPECT_EQ(later.name(), first.name()) << "of a job that has ended, too";
}

TEST_F(BadInputTest, ARunningJobIsCancelledOnceAndDeletedOnlyThen) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().TrainMidcoder(EndlessTraining()));
  ASSERT_OK(WaitUntilItRuns(client(), job.name()));
  EXPECT_THAT(client().DeleteJob(job.name()), FailsWith(StatusCode::kFailedPrecondition, "JOB_NOT_FINISHED"));
  EXPECT_OK(client().CancelJob(job.name()));
  EXPECT_OK(client().CancelJob(job.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client().WatchJob(job.name(), nullptr));
  EXPECT_EQ(end.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_OK(client().CancelJob(job.name()));
  EXPECT_OK(client().DeleteJob(job.name()));
  EXPECT_THAT(client().DeleteJob(job.name()), FailsWith(StatusCode::kNotFound, "JOB_NOT_FOUND"));
  EXPECT_THAT(client().CancelJob(job.name()), FailsWith(StatusCode::kNotFound, "JOB_NOT_FOUND"));
}

TEST_F(BadInputTest, AQueuedJobCannotBeDeleted) {
  ASSERT_OK_AND_ASSIGN(const v1::Job running, client().TrainMidcoder(EndlessTraining()));
  ASSERT_OK_AND_ASSIGN(const v1::Job queued, client().TrainMidcoder(ShortTraining()));
  EXPECT_THAT(client().DeleteJob(queued.name()), FailsWith(StatusCode::kFailedPrecondition, "JOB_NOT_FINISHED"));
  EXPECT_OK(client().CancelJob(running.name()));
  EXPECT_OK(client().WaitForJob(queued.name()));
}

TEST_F(BadInputTest, AJobThatSucceededCannotBeCancelled) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Trained(ShortTraining()));
  EXPECT_THAT(client().CancelJob(job.name()), FailsWith(StatusCode::kFailedPrecondition, "JOB_ALREADY_FINISHED"));
  ASSERT_OK_AND_ASSIGN(const v1::Job still, client().GetJob(job.name()));
  EXPECT_EQ(still.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_FALSE(still.cancel_requested());
}

TEST_F(BadInputTest, AJobThatRunsMeanwhileEndsWithTheBitsOfOneThatRanAlone) {
  ASSERT_OK_AND_ASSIGN(const v1::Job alone, Trained(LongTraining()));
  ASSERT_OK_AND_ASSIGN(const v1::Job disturbed, client().TrainMidcoder(LongTraining()));
  ASSERT_OK(WaitUntilItRuns(client(), disturbed.name()));
  for (const BadCalls& calls : {UnknownNames(), ActivationQueries(GetActivations()),
                                ActivationQueries(StreamActivations()), TrainingSpecs(), Pages(), TensorReads()}) {
    ExpectRefused(calls);
  }
  ASSERT_OK_AND_ASSIGN(const v1::Job end, client().WaitForJob(disturbed.name()));
  EXPECT_EQ(end.attempt(), 1);
  EXPECT_EQ(WeightsHash(end), WeightsHash(alone));
  EXPECT_NE(WeightsHash(end), "");
}

}  // namespace
}  // namespace superpose::client
