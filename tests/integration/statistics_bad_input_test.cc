// Requests about statistics that ask for what is not there, or cannot be.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "superpose/v1/statistics_service.grpc.pb.h"
#include "superpose/v1/tensor_service.grpc.pb.h"
#include "tests/client/tiny_server_test.h"
#include "tests/integration/bad_calls.h"

namespace superpose::client {
namespace {

using absl::StatusCode;
using Stub = v1::StatisticsService::Stub;

constexpr auto kInvalid = StatusCode::kInvalidArgument;
constexpr auto kPrecondition = StatusCode::kFailedPrecondition;
constexpr auto kNotFound = StatusCode::kNotFound;

TextCall CollectCall() { return Unary(&Stub::CollectStatistics); }
TextCall EstimateCall() { return Unary(&Stub::EstimateStatistics); }
TextCall TakeCall() { return Unary(&Stub::TakeSnapshot); }
TextCall MergeCall() { return Unary(&Stub::MergeSnapshots); }
TextCall CompareCall() { return Unary(&Stub::CompareSnapshots); }
TextCall AnalyzeCall() { return Unary(&Stub::AnalyzeSnapshot); }
TextCall GetCall() { return Unary(&Stub::GetSnapshot); }
TextCall DeleteCall() { return Unary(&Stub::DeleteSnapshot); }
TextCall ListCall() { return Unary(&Stub::ListSnapshots); }

BadCalls UnknownNames() {
  return {
      {GetCall(), "name: 'snapshots/other'", kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {GetCall(), "name: 'snapshots/../jobs'", kInvalid, "NAME_INVALID", "snapshots/{snapshot}"},
      {GetCall(), "", kInvalid, "NAME_INVALID", ""},
      {DeleteCall(), "name: 'snapshots/..'", kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {DeleteCall(), "name: 'midcoders/1'", kInvalid, "NAME_INVALID", ""},
      {TakeCall(), "job: 'jobs/other'", kNotFound, "JOB_NOT_FOUND", ""},
      {TakeCall(), "job: 'other'", kInvalid, "NAME_INVALID", "jobs/{job}"},
      {TakeCall(), "", kInvalid, "NAME_INVALID", ""},
      {MergeCall(), "spec { snapshots: ['snapshots/a', 'snapshots/b'] }", kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {MergeCall(), "spec { snapshots: ['a', 'b'] }", kInvalid, "NAME_INVALID", ""},
      {MergeCall(), "", kInvalid, "CONFIG_INVALID", "two or more"},
      {CompareCall(), "snapshot: 'snapshots/a' other: 'snapshots/b'", kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {CompareCall(), "", kInvalid, "NAME_INVALID", ""},
      {AnalyzeCall(), "spec { snapshot: 'snapshots/a' frequencies {} }", kNotFound, "SNAPSHOT_NOT_FOUND", ""},
      {AnalyzeCall(), "spec { snapshot: 'snapshots/a' frequencies {} } as_job: true", kNotFound, "SNAPSHOT_NOT_FOUND",
       ""},
      {AnalyzeCall(), "", kInvalid, "CONFIG_INVALID", "asks for no analysis"},
      {AnalyzeCall(), "spec { frequencies {} }", kInvalid, "NAME_INVALID", ""},
      {AnalyzeCall(), "spec { spectrum {} }", kInvalid, "CONFIG_INVALID", "AnalyzeDirections"},
      {ListCall(), "midcoder: 'midcoders/a' job: 'jobs/a'", kInvalid, "CONFIG_INVALID", "both set"},
      {ListCall(), "page_size: -1", kInvalid, "CONFIG_INVALID", "page_size"},
  };
}

// Every list shows labels.
BadCalls LabelsThatAreTooLong() {
  const std::string labels = absl::StrCat("labels { key: 'a' value: '", std::string(1 << 20, 'x'), "' }");
  return {{TakeCall(), "job: 'jobs/other' " + labels, kInvalid, "CONFIG_INVALID", "labels"},
          {MergeCall(), "spec { snapshots: ['snapshots/a', 'snapshots/b'] " + labels + " }", kInvalid, "CONFIG_INVALID",
           "labels"}};
}

std::string Spec(const std::string& fields) {
  return absl::StrCat("spec { transcoders: 'models/-/layers/1' corpus: 'corpora/rows' ", fields, " }");
}

// What CollectStatistics and EstimateStatistics refuse alike.
BadCalls Specs(const TextCall& call) {
  BadCalls calls = {
      {call, "", kInvalid, "EMPTY_INPUT", "transcoders"},
      {call, "spec { transcoders: 'models/-/layers/1' }", kInvalid, "NAME_INVALID", "corpora/{corpus}"},
      {call, "spec { transcoders: 'models/-/layers/2' corpus: 'corpora/rows' }", kNotFound, "TRANSCODER_NOT_FOUND", ""},
      {call, Spec("midcoders: 'midcoders/other'"), kNotFound, "MIDCODER_NOT_FOUND", ""},
      {call, Spec("midcoders: 'other'"), kInvalid, "NAME_INVALID", ""},
      {call, Spec("first_sequence: 64"), kInvalid, "CORPUS_TOO_SMALL", "64"},
      {call, Spec("context_length: 65"), kInvalid, "CONTEXT_EXCEEDED", "64"},
      {call, Spec("options { features { ids { values: -1 } } }"), kInvalid, "FEATURE_OUT_OF_RANGE", "-1"},
      {call, Spec("options { features { range { start: 3 stop: 3 } } }"), kPrecondition, "EMPTY_SELECTION", ""},
      {call, Spec("options { features { band { low: 2 } } }"), kPrecondition, "EMPTY_SELECTION", "lie below"},
      {call, Spec("options { features { band { by: FREQUENCY_SOURCE_SNAPSHOT } } }"), kPrecondition,
       "FREQUENCIES_MISSING", ""},
  };
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"transcoders: 'models/tiny/transcoders/layer1'", "twice"},
      {"tokens: 0", "tokens"},
      {"tokens: 9223372036854775807", "tokens"},
      {"batch_size: -1", "batch_size"},
      {"batch_size: 9223372036854775807", "batch_size"},
      {"context_length: 0", "context_length"},
      {"first_sequence: -1", "first_sequence"},
      {"split: 77", "split"},
      {"gate: 77", "gate"},
      {"gate: GATE_SOURCE_MIDCODER", "midcoders"},
      {"options { groups: 77 }", "77"},
      {"options { keep_last: 0 }", "keep_last"},
      {"options { snapshot_every_tokens: -1 }", "snapshot_every_tokens"},
      {"options { features { band { low: nan } } }", "NaN"},
      {"options { pair_features { ids { values: [1, 1] } } }", "more than once"},
  };
  for (const auto& [fields, in_message] : settings) {
    calls.push_back({call, Spec(fields), kInvalid, "CONFIG_INVALID", in_message});
  }
  return calls;
}

class StatisticsBadInputTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    channel_ = grpc::CreateChannel(server().address(), grpc::InsecureChannelCredentials());
  }
  void TearDown() override { EXPECT_OK(client().GetServerInfo()); }

  void ExpectRefused(const BadCalls& calls) const { superpose::ExpectRefused(channel_, calls); }

  // The name of a snapshot with all groups but PAIRS, of this server.
  std::string Collect() const {
    v1::CollectStatisticsRequest request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        Spec("options { groups: [STATISTICS_GROUP_GATES, STATISTICS_GROUP_UNITS] }"), &request));
    grpc::ClientContext context;
    v1::CollectStatisticsResponse response;
    EXPECT_TRUE(Stub(channel_).CollectStatistics(&context, request, &response).ok());
    const auto end = client().WaitForJob(response.job().name());
    EXPECT_OK(end);
    return end.ok() ? end->collected_snapshots().snapshots(0) : "";
  }

  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(StatisticsBadInputTest, NamesOfNothingAndNamesThatAreNone) { ExpectRefused(UnknownNames()); }

TEST_F(StatisticsBadInputTest, LabelsThatAreTooLong) { ExpectRefused(LabelsThatAreTooLong()); }

TEST_F(StatisticsBadInputTest, CollectionsThatCannotBe) { ExpectRefused(Specs(CollectCall())); }

TEST_F(StatisticsBadInputTest, EstimatesOfCollectionsThatCannotBe) { ExpectRefused(Specs(EstimateCall())); }

TEST_F(StatisticsBadInputTest, JobsWithoutStatisticsHaveNoSnapshots) {
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().TrainMidcoder(ShortTraining()));
  ASSERT_OK(client().WaitForJob(job.name()));
  ExpectRefused({{TakeCall(), absl::StrCat("job: '", job.name(), "'"), kPrecondition, "JOB_WITHOUT_STATISTICS", ""}});
  ExpectRefused({{Streamed(&v1::TensorService::Stub::ReadTensor),
                  absl::StrCat("resource: '", job.name(), "' tensor: 'W_mid'"), kNotFound, "ARTIFACT_NOT_FOUND", ""}});
}

TEST_F(StatisticsBadInputTest, QuestionsThatASnapshotCannotAnswer) {
  const std::string snapshot = Collect();
  const auto ask = [&](const std::string& question) {
    return absl::StrCat("spec { snapshot: '", snapshot, "' ", question, " }");
  };
  BadCalls calls = {
      {AnalyzeCall(), ask(""), kInvalid, "CONFIG_INVALID", "no analysis"},
      {AnalyzeCall(), ask("pairs {}"), kPrecondition, "SNAPSHOT_TENSOR_MISSING", "PAIRS"},
      {AnalyzeCall(), ask("coactive { feature: 1 }"), kPrecondition, "SNAPSHOT_TENSOR_MISSING", "PAIRS"},
      {AnalyzeCall(), ask("predicted_decoders {}"), kPrecondition, "SNAPSHOT_TENSOR_MISSING", "W_mid"},
      {AnalyzeCall(), ask("feature_units { quantity: 77 }"), kInvalid, "CONFIG_INVALID", "77"},
      {AnalyzeCall(), ask("frequencies { features { band { low: 2 } } }"), kPrecondition, "EMPTY_SELECTION", ""},
      {AnalyzeCall(), ask("frequencies { features { ids { values: 256 } } }"), kInvalid, "FEATURE_OUT_OF_RANGE", ""},
      {AnalyzeCall(), ask("decoder_neighbors { feature: -1 }"), kInvalid, "FEATURE_OUT_OF_RANGE", "-1"},
      {AnalyzeCall(), ask("pre_activations { units { indices { values: 128 } } }"), kInvalid, "SLICE_OUT_OF_RANGE",
       "128"},
      {AnalyzeCall(), ask("feature_units { bins: 2147483647 }"), kInvalid, "CONFIG_INVALID", ""},
  };
  ExpectRefused(calls);
  for (BadCall& call : calls) call.request += " as_job: true";
  ExpectRefused(calls);
  EXPECT_OK(AnalyzeCall()(channel_, ask("frequencies {}")));
}

TEST_F(StatisticsBadInputTest, ASnapshotCannotBeMergedWithItself) {
  const std::string snapshot = Collect();
  ExpectRefused(
      {{MergeCall(), absl::StrCat("spec { snapshots: ['", snapshot, "', '", snapshot, "'] }"), kPrecondition,
        "SNAPSHOTS_OVERLAP", snapshot},
       {MergeCall(), absl::StrCat("spec { snapshots: '", snapshot, "' }"), kInvalid, "CONFIG_INVALID", "two or more"}});
}

}  // namespace
}  // namespace superpose::client
