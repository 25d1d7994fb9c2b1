// Calls of the factorization service that cannot be right: each is refused with its code and reason, and the server
// goes on.
#include <grpcpp/create_channel.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "tests/client/tiny_server_test.h"
#include "tests/integration/factorization_calls.h"
#include "tests/support/test_folder.h"

namespace superpose::client {
namespace {

std::string Spec(const std::string& fields, const std::string& directions = "") {
  return absl::StrCat("spec { directions { transcoder: 'models/-/layers/1' ", directions, " } ", fields, " }");
}

// What FactorizeDecoders and EstimateFactorization refuse alike.
BadCalls Specs(const TextCall& call) {
  BadCalls calls = {
      {call, "", kInvalid, "CONFIG_INVALID", ""},
      {call, "spec { directions { transcoder: 'models/-/layers/2' } }", kNotFound, "TRANSCODER_NOT_FOUND", ""},
      {call, "spec { directions { snapshot: 'snapshots/none' } }", kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {call, "spec { directions { factorization: 'factorizations/none' } }", kInvalid, "CONFIG_INVALID", "decoders"},
      {call, Spec("start: 'factorizations/none'"), kNotFound, "FACTORIZATION_NOT_FOUND", ""},
      {call, Spec("start: 'none'"), kInvalid, "NAME_INVALID", ""},
      {call, Spec("", "features { range { start: 3 stop: 3 } }"), kPrecondition, "EMPTY_SELECTION", "above its start"},
      {call, Spec("", "features { ids {} }"), kPrecondition, "EMPTY_SELECTION", "no features are named"},
      {call, Spec("", "features { band { low: 2 } }"), kPrecondition, "EMPTY_SELECTION", "lie below"},
      {call, Spec("", "features { ids { values: 7 } }"), kPrecondition, "EMPTY_SELECTION", "2 or more"},
      {call, Spec("", "top: 1"), kPrecondition, "EMPTY_SELECTION", "2 or more"},
      {call, Spec("", "features { ids { values: [3, 9, 3] } }"), kInvalid, "CONFIG_INVALID", "feature 3 twice"},
      {call, Spec("", "features { ids { values: 256 } }"), kInvalid, "FEATURE_OUT_OF_RANGE", "256"},
      {call, Spec("", "kind: DECODER_KIND_PREDICTED"), kInvalid, "CONFIG_INVALID", "snapshot"},
  };
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"theta: 0", "theta is 0; it must be "},
      {"theta: -1", "theta is -1; it must be "},
      {"theta: nan", "theta is nan; it must be "},
      {"theta: inf", "theta is inf; it must be "},
      {"codes: 0", "codes is 0"},
      {"codes: 65", "it must be 1 to 64"},
      {"factors: 3 codes: 4", "with 3 factors it must be 1 to 3"},
      {"factors: 0", "factors is 0; it must be 1 or more"},
      {"factors: -1", "factors is -1; it must be 1 or more"},
      {"epochs: -1", "epochs is -1; it must be 1 or more"},
      {"epochs: 0", "start"},
      {"batch_size: 0", "batch_size is 0; it must be 1 or more"},
      {"lr: -1", "lr is -1; it must be "},
      {"held_out_share: 1", "held_out_share is 1"},
      {"held_out_share: nan", "held_out_share is nan"},
      {"stability_runs: 11", "it must be 0 to 10"},
      {"duplicate_cosine: 2", "duplicate_cosine is 2"},
      {"form: 77", "form"},
      {"schedule: 77", "schedule"},
  };
  for (const auto& [fields, in_message] : settings) {
    calls.push_back({call, Spec(fields), kInvalid, "CONFIG_INVALID", in_message});
  }
  return calls;
}

class FactorizationBadInputTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    channel_ = grpc::CreateChannel(server().address(), grpc::InsecureChannelCredentials());
  }
  void TearDown() override { EXPECT_OK(client().GetServerInfo()); }

  void ExpectRefused(const BadCalls& calls) const { superpose::ExpectRefused(channel_, calls); }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(FactorizationBadInputTest, FactorizationsThatCannotBe) { ExpectRefused(Specs(FactorizeCall())); }

TEST_F(FactorizationBadInputTest, EstimatesOfFactorizationsThatCannotBe) { ExpectRefused(Specs(EstimateCall())); }

TEST_F(FactorizationBadInputTest, NamesOfNothing) {
  const std::string none = "name: 'factorizations/none'", wrong = "name: 'none'";
  for (const auto& call : {Unary(&FactorizationStub::GetFactorization), Unary(&FactorizationStub::DeleteFactorization),
                           Streamed(&FactorizationStub::ExportFactorization)}) {
    ExpectRefused(
        {{call, none, kNotFound, "FACTORIZATION_NOT_FOUND", ""}, {call, wrong, kInvalid, "NAME_INVALID", ""}});
  }
  ExpectRefused(
      {{Unary(&FactorizationStub::ImportFactorization), "upload: 'uploads/none'", kInvalid, "NAME_INVALID", "SHA-256"},
       {Unary(&FactorizationStub::ListFactorizations), "page_size: -1", kInvalid, "CONFIG_INVALID", "page_size"},
       {Streamed(&FactorizationStub::ExportFactorization), "name: 'factorizations/none' format: 77", kInvalid,
        "CONFIG_INVALID", "format"}});
}

BadCalls WrongQuestions() {
  BadCalls calls = {
      {AnalyzeCall(), "", kInvalid, "CONFIG_INVALID", "asks for no analysis"},
      {AnalyzeCall(), "spec { snapshot: 'snapshots/a' frequencies {} }", kInvalid, "CONFIG_INVALID", "AnalyzeSnapshot"},
      {AnalyzeCall(), Ask("spectrum", "", "k: -1"), kInvalid, "CONFIG_INVALID", "k is -1, but must not be negative"},
      {AnalyzeCall(), Ask("whitening", "", "k: -1"), kInvalid, "CONFIG_INVALID", "k is -1, but must not be negative"},
      {AnalyzeCall(), Ask("spectrum", "", "tolerance: 2"), kInvalid, "CONFIG_INVALID", "between 0 and 1"},
      {AnalyzeCall(), Ask("spectrum", "", "max_iterations: 0"), kInvalid, "CONFIG_INVALID", "must be 1 or more"},
      {AnalyzeCall(), Ask("whitening", "", "cutoff: -1"), kInvalid, "CONFIG_INVALID", "cutoff is -1"},
      {AnalyzeCall(), Ask("whitening", "", "form: 77"), kInvalid, "CONFIG_INVALID", "form"},
  };
  for (const char* question : kQuestions) {
    for (const char* theta : {"2", "-1.5", "nan"}) {
      calls.push_back({AnalyzeCall(), Ask(question, "", absl::StrCat("theta: ", theta)), kInvalid, "CONFIG_INVALID",
                       "cosines lie in -1 .. 1"});
    }
    calls.push_back(
        {AnalyzeCall(), Ask(question, "features { ids { values: -1 } }"), kInvalid, "FEATURE_OUT_OF_RANGE", "-1"});
    calls.push_back({AnalyzeCall(), Ask(question, "features { range { start: 3 stop: 3 } }"), kPrecondition,
                     "EMPTY_SELECTION", "above its start"});
    calls.push_back(
        {AnalyzeCall(), Ask(question, "features { band { low: 2 } }"), kPrecondition, "EMPTY_SELECTION", "lie below"});
    calls.push_back({AnalyzeCall(), Ask(question, "top: -1"), kInvalid, "CONFIG_INVALID", "top is -1"});
    calls.push_back({AnalyzeCall(), absl::StrCat("spec { ", question, " {} }"), kInvalid, "CONFIG_INVALID",
                     "name a transcoder, a snapshot or a factorization"});
    calls.push_back({AnalyzeCall(), Ask(question, "factorization: 'factorizations/none'"), kInvalid, "CONFIG_INVALID",
                     "something else is set beside it"});
    calls.push_back({AnalyzeCall(), Ask(question, ManyDirections(4097)), kInvalid, "CONFIG_INVALID",
                     "4097 features are named, but of 256 there can be 4096 in a list"});
  }
  return calls;
}

TEST_F(FactorizationBadInputTest, QuestionsThatHaveNoAnswer) {
  const std::string factorization = "factorization: 'factorizations/none'";
  BadCalls calls = WrongQuestions();
  for (const std::string question : {"factors_of_decoder", "decoders_of_factor", "shared_factors", "factor_match"}) {
    calls.push_back({AnalyzeCall(), absl::StrCat("spec { ", question, " { ", factorization, " } }"), kNotFound,
                     "FACTORIZATION_NOT_FOUND", ""});
  }
  ExpectRefused(calls);
  for (BadCall& call : calls) call.request += " as_job: true";
  ExpectRefused(calls);
  EXPECT_OK(AnalyzeCall()(channel_, Ask("spectrum")));
}

TEST_F(FactorizationBadInputTest, OneDirectionIsEnoughForAQuestion) {
  for (const char* question : kQuestions) {
    EXPECT_OK(AnalyzeCall()(channel_, Ask(question, "features { ids { values: 7 } }"))) << question;
  }
}

// On a factorization of 80 decoders by 12 factors.
class MadeFactorizationTest : public FactorizationBadInputTest {
 protected:
  std::string Make(const std::string& fields = "") const {
    v1::FactorizeDecodersRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        Spec(absl::StrCat("factors: 12 epochs: 2 stability_runs: 0 ", fields), "features { range { stop: 80 } }"),
        &request));
    const auto job = client().Factorize(request.spec());
    EXPECT_OK(job);
    const auto end = client().WaitForJob(job->name());
    EXPECT_OK(end);
    return end.ok() ? end->factorization().factorization() : "";
  }
  // "spec { factors_of_decoder { factorization: 'factorizations/..' feature: 3 } }".
  static std::string About(const std::string& factorization, const std::string& question, const std::string& fields) {
    return absl::StrCat("spec { ", question, " { factorization: '", factorization, "' ", fields, " } }");
  }
  static std::string Fixture(const std::string& name) {
    return absl::StrCat(SUPERPOSE_TEST_DATA "/factorization/", name);
  }
};

TEST_F(MadeFactorizationTest, QuestionsThatItCannotAnswer) {
  const std::string made = Make(), of_gram = Make("form: FACTORIZATION_FORM_GRAM");
  const std::string outside = "among the 80 decoders", factors = "are 0 .. 11", by_cosine = "ask by cosine";
  BadCalls calls = {
      {AnalyzeCall(), About(made, "factors_of_decoder", "feature: 80"), kInvalid, "FEATURE_OUT_OF_RANGE", outside},
      {AnalyzeCall(), About(made, "shared_factors", "feature: -1"), kInvalid, "FEATURE_OUT_OF_RANGE", outside},
      {AnalyzeCall(), About(made, "shared_factors", "k: 0"), kInvalid, "CONFIG_INVALID", "k is 0, but must be 1 .."},
      {AnalyzeCall(), About(made, "decoders_of_factor", "factor: 12"), kInvalid, "CONFIG_INVALID", factors},
      {AnalyzeCall(), About(made, "decoders_of_factor", "factor: -1"), kInvalid, "CONFIG_INVALID", factors},
      {AnalyzeCall(), About(made, "decoders_of_factor", "k: 0"), kInvalid, "CONFIG_INVALID", "k is 0, but must be 1"},
      {AnalyzeCall(), About(made, "decoders_of_factor", "k: 1001"), kInvalid, "CONFIG_INVALID", "must be 1 .. 1000"},
      {AnalyzeCall(), About(made, "decoders_of_factor", "by: 77"), kInvalid, "CONFIG_INVALID", "77"},
      {AnalyzeCall(), About(made, "factor_match", "other: 'a'"), kInvalid, "NAME_INVALID", "factorizations/"},
      {AnalyzeCall(), About(of_gram, "shared_factors", "feature: 1"), kInvalid, "CONFIG_INVALID", by_cosine},
      {AnalyzeCall(), About(of_gram, "decoders_of_factor", "by: FACTOR_MEASURE_CODE"), kInvalid, "CONFIG_INVALID",
       by_cosine},
      {FactorizeCall(), Spec(absl::StrCat("factors: 13 start: '", made, "'")), kInvalid, "CONFIG_INVALID",
       "leave factors out"},
  };
  ExpectRefused(calls);
  calls.pop_back();
  for (BadCall& call : calls) call.request += " as_job: true";
  ExpectRefused(calls);
}

TEST_F(MadeFactorizationTest, OneOfAnotherWidthFitsNothingHere) {
  const std::string made = Make();
  ASSERT_OK_AND_ASSIGN(const v1::Factorization other, client().ImportFactorization(Fixture("reference.pt")));
  const std::string decoders = "has no decoders, as it was imported";
  ExpectRefused(
      {{AnalyzeCall(), About(made, "factor_match", absl::StrCat("other: '", other.name(), "'")), kInvalid,
        "TENSOR_SHAPE_MISMATCH", "6"},
       {FactorizeCall(), Spec(absl::StrCat("start: '", other.name(), "'")), kInvalid, "TENSOR_SHAPE_MISMATCH",
        "has width 6, the decoders 32"},
       {AnalyzeCall(), About(other.name(), "factors_of_decoder", ""), kPrecondition, "TENSOR_MISSING", decoders},
       {AnalyzeCall(), About(other.name(), "decoders_of_factor", ""), kPrecondition, "TENSOR_MISSING", decoders},
       {AnalyzeCall(), About(other.name(), "shared_factors", ""), kPrecondition, "TENSOR_MISSING", decoders}});
}

TEST_F(MadeFactorizationTest, AStartHoldsOutOnlyWhatItWasNotFittedOn) {
  const std::string made = Make("held_out_share: 0"), advice = "leave held_out_share out";
  const TestFolder folder;
  ASSERT_OK(client().ExportFactorization(made, folder.File("factors.pt")));
  ASSERT_OK_AND_ASSIGN(const v1::Factorization imported, client().ImportFactorization(folder.File("factors.pt")));
  const auto begun = [](const std::string& start) { return absl::StrCat("start: '", start, "' held_out_share: 0.1"); };
  for (const TextCall& call : {FactorizeCall(), EstimateCall()}) {
    ExpectRefused({{call, Spec(begun(made)), kInvalid, "CONFIG_INVALID", "none of the 256 decoders was held out of"},
                   {call, Spec(begun(imported.name())), kInvalid, "CONFIG_INVALID", advice}});
  }
  EXPECT_OK(EstimateCall()(channel_, Spec(absl::StrCat("start: '", imported.name(), "' epochs: 0"))));
}

TEST_F(MadeFactorizationTest, FilesThatAreNoFactorization) {
  const TestFolder folder;
  std::ostringstream sound;
  sound << std::ifstream(Fixture("reference.pt"), std::ios::binary).rdbuf();
  const std::string half = folder.Write("half.pt", sound.str().substr(0, sound.str().size() / 2));
  const std::string text = folder.Write("text.pt", "not a file of tensors");
  for (const std::string& path : {half, text}) {
    EXPECT_THAT(client().ImportFactorization(path), FailsWith(kInvalid, "FILE_CORRUPT")) << path;
  }
  EXPECT_THAT(client().ImportFactorization(Fixture("hostile_weights.pt")), FailsWith(kInvalid, "FILE_UNSUPPORTED"));
  EXPECT_FALSE(std::filesystem::exists(server().folder() / "superpose_was_here")) << "nothing in it ran";
}

// A server of 48 MB, which has no room for much.
class FactorizationMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = TinyServer::Start("memory_limit_bytes: 48000000");
    ASSERT_OK(server);
    server_ = *std::move(server);
    auto client = server_->Connect();
    ASSERT_OK(client);
    client_ = std::make_unique<Client>(*std::move(client));
  }
  void ExpectRefused(const BadCalls& calls) const {
    superpose::ExpectRefused(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()), calls);
  }
  static v1::FactorizationSpec SpecOf(int factors) {
    v1::FactorizationSpec spec;
    spec.mutable_directions()->set_transcoder(LayerName(kTinyLayer));
    spec.set_factors(factors);
    spec.set_epochs(1);
    return spec;
  }

  std::unique_ptr<TinyServer> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(FactorizationMemoryTest, MoreFactorsThanItAllowsAreRefusedWithTheFiguresAndWhatWouldFit) {
  const auto refused = client_->Factorize(SpecOf(1'000'000));
  EXPECT_THAT(refused, FailsWith(kExhausted, "MEMORY_EXCEEDED"));
  const std::string message(refused.status().message());
  std::smatch figures;
  const std::regex expected(
      "this factorization needs ([0-9.]+) (MiB|GiB) of memory, and ([0-9.]+) MiB of the server's "
      "45.8 MiB can be had: factors ([0-9]+) would fit");
  ASSERT_TRUE(std::regex_search(message, figures, expected)) << message;
  const int most = std::stoi(figures[4]);
  ASSERT_OK_AND_ASSIGN(const v1::EstimateFactorizationResponse most_that_fit,
                       client_->EstimateFactorization(SpecOf(most)));
  EXPECT_LE(most_that_fit.estimate().peak_bytes(), most_that_fit.estimate().available_bytes());
  EXPECT_EQ(most_that_fit.estimate().advice(), "");
  for (const int factors : {most + 1, std::numeric_limits<int>::max()}) {
    EXPECT_THAT(client_->Factorize(SpecOf(factors)), FailsWith(kExhausted, "MEMORY_EXCEEDED"));
  }
  ASSERT_OK_AND_ASSIGN(const v1::EstimateFactorizationResponse too_many,
                       client_->EstimateFactorization(SpecOf(most + 1)));
  EXPECT_THAT(too_many.estimate().advice(), ::testing::HasSubstr(absl::StrCat("factors ", most, " would fit")));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Job> jobs, client_->ListJobs());
  EXPECT_THAT(jobs, ::testing::IsEmpty()) << "nothing was queued";
}

TEST_F(FactorizationMemoryTest, QuestionsThatTakeMoreAreRefusedBeforeWork) {
  const std::string many = ManyDirections(4000), advice = "of the server's 45.8 MiB can be had: ask for fewer features";
  BadCalls calls = {{AnalyzeCall(), Ask("spectrum", many), kExhausted, "MEMORY_EXCEEDED", advice},
                    {AnalyzeCall(), Ask("whitening", many), kExhausted, "MEMORY_EXCEEDED", advice},
                    {AnalyzeCall(), Ask("gram", many, "values: true"), kExhausted, "MEMORY_EXCEEDED", advice}};
  ExpectRefused(calls);
  for (BadCall& call : calls) call.request += " as_job: true";
  ExpectRefused(calls);
}

}  // namespace
}  // namespace superpose::client
