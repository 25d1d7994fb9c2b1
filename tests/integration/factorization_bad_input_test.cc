// Calls of the factorization service that cannot be right: each is refused with its code and reason, and the server
// goes on.
#include <grpcpp/create_channel.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "superpose/v1/factorization_service.grpc.pb.h"
#include "tests/client/tiny_server_test.h"
#include "tests/integration/bad_calls.h"

namespace superpose::client {
namespace {

using Stub = v1::FactorizationService::Stub;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

TextCall FactorizeCall() { return Unary(&Stub::FactorizeDecoders); }
TextCall EstimateCall() { return Unary(&Stub::EstimateFactorization); }
TextCall AnalyzeCall() { return Unary(&Stub::AnalyzeDirections); }

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
      {call, Spec("", "features { range { start: 3 stop: 3 } }"), kPrecondition, "EMPTY_SELECTION", ""},
      {call, Spec("", "features { ids { values: 7 } }"), kPrecondition, "EMPTY_SELECTION", ""},
      {call, Spec("", "features { ids { values: 256 } }"), kInvalid, "FEATURE_OUT_OF_RANGE", "256"},
      {call, Spec("", "kind: DECODER_KIND_PREDICTED"), kInvalid, "CONFIG_INVALID", "snapshot"},
  };
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"theta: 0", "theta"},
      {"theta: -1", "theta"},
      {"theta: nan", "theta"},
      {"codes: 0", "codes"},
      {"codes: 65", "codes"},
      {"factors: 0", "factors"},
      {"epochs: -1", "epochs"},
      {"epochs: 0", "start"},
      {"batch_size: 0", "batch_size"},
      {"lr: -1", "lr"},
      {"held_out_share: 1", "held_out_share"},
      {"stability_runs: 11", "stability_runs"},
      {"duplicate_cosine: 2", "duplicate_cosine"},
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

TEST_F(FactorizationBadInputTest, MoreFactorsThanMemoryAllowsAreRefusedWithTheFigure) {
  ExpectRefused({{FactorizeCall(), Spec("factors: 2147483647"), absl::StatusCode::kResourceExhausted, "MEMORY_EXCEEDED",
                  "factors"}});
}

TEST_F(FactorizationBadInputTest, NamesOfNothing) {
  const std::string none = "name: 'factorizations/none'", wrong = "name: 'none'";
  for (const auto& call :
       {Unary(&Stub::GetFactorization), Unary(&Stub::DeleteFactorization), Streamed(&Stub::ExportFactorization)}) {
    ExpectRefused(
        {{call, none, kNotFound, "FACTORIZATION_NOT_FOUND", ""}, {call, wrong, kInvalid, "NAME_INVALID", ""}});
  }
  ExpectRefused({{Unary(&Stub::ImportFactorization), "upload: 'uploads/none'", kInvalid, "NAME_INVALID", "SHA-256"},
                 {Unary(&Stub::ListFactorizations), "page_size: -1", kInvalid, "CONFIG_INVALID", "page_size"},
                 {Streamed(&Stub::ExportFactorization), "name: 'factorizations/none' format: 77", kInvalid,
                  "CONFIG_INVALID", "format"}});
}

TEST_F(FactorizationBadInputTest, QuestionsThatHaveNoAnswer) {
  const auto ask = [](const std::string& question, const std::string& directions = "") {
    return absl::StrCat("spec { ", question, " { directions { transcoder: 'models/-/layers/1' ", directions, " } ");
  };
  const std::string factorization = "factorization: 'factorizations/none'";
  BadCalls calls = {
      {AnalyzeCall(), "", kInvalid, "CONFIG_INVALID", "asks for no analysis"},
      {AnalyzeCall(), "spec { snapshot: 'snapshots/a' frequencies {} }", kInvalid, "CONFIG_INVALID", "AnalyzeSnapshot"},
      {AnalyzeCall(), ask("spectrum") + "theta: 2 } }", kInvalid, "CONFIG_INVALID", "theta"},
      {AnalyzeCall(), ask("spectrum") + "k: -1 } }", kInvalid, "CONFIG_INVALID", "k"},
      {AnalyzeCall(), ask("spectrum") + "tolerance: 2 } }", kInvalid, "CONFIG_INVALID", "tolerance"},
      {AnalyzeCall(), ask("whitening") + "cutoff: -1 } }", kInvalid, "CONFIG_INVALID", "cut"},
      {AnalyzeCall(), ask("whitening") + "form: 77 } }", kInvalid, "CONFIG_INVALID", "form"},
      {AnalyzeCall(), ask("gram", "features { ids { values: -1 } }") + "} }", kInvalid, "FEATURE_OUT_OF_RANGE", "-1"},
      {AnalyzeCall(), absl::StrCat("spec { factors_of_decoder { ", factorization, " } }"), kNotFound,
       "FACTORIZATION_NOT_FOUND", ""},
      {AnalyzeCall(), absl::StrCat("spec { factor_match { ", factorization, " other: 'a' } }"), kNotFound,
       "FACTORIZATION_NOT_FOUND", ""},
  };
  ExpectRefused(calls);
  for (BadCall& call : calls) call.request += " as_job: true";
  ExpectRefused(calls);
  EXPECT_OK(AnalyzeCall()(channel_, ask("spectrum") + "} }"));
}

TEST_F(FactorizationBadInputTest, AnEigenproblemThatIsTooLarge) {
  std::string ids;
  for (int i = 0; i < 10'001; ++i) absl::StrAppend(&ids, i == 0 ? "" : ",", i % 256);
  ExpectRefused(
      {{AnalyzeCall(),
        absl::StrCat("spec { spectrum { directions { transcoder: 'models/-/layers/1' features { ids { values: [", ids,
                     "] } } } } }"),
        kInvalid, "CONFIG_INVALID", "10000"}});
}

}  // namespace
}  // namespace superpose::client
