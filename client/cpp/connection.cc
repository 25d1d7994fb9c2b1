#include "client/cpp/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace superpose::client {
namespace {

// Activations of max_unary_tokens tokens, with room for a transcoder that is far from sparse.
constexpr int kMaxMessageBytes = 512 << 20;

// Of a stream that the client reads: enough for 40 MB/s at a tenth of a second there and back.
constexpr int kReadAheadBytes = 4 << 20;

// Calls that may be made twice are tried again while the server is not there. Not the deletes: the second would not
// find what the first deleted. Not WatchJob, ReadTensor and the exports, which go on where they broke by themselves.
// Not GetServerInfo: who connects to a server that is not there wants to know it at once.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [
    {"service": "superpose.v1.ModelService", "method": "ListModels"},
    {"service": "superpose.v1.ModelService", "method": "GetModel"},
    {"service": "superpose.v1.ModelService", "method": "Tokenize"},
    {"service": "superpose.v1.ModelService", "method": "Detokenize"},
    {"service": "superpose.v1.CorpusService", "method": "ListCorpora"},
    {"service": "superpose.v1.CorpusService", "method": "GetCorpus"},
    {"service": "superpose.v1.CorpusService", "method": "CreateCorpus"},
    {"service": "superpose.v1.UploadService", "method": "GetUpload"},
    {"service": "superpose.v1.FeatureService"},
    {"service": "superpose.v1.PromptService"},
    {"service": "superpose.v1.MidcoderService", "method": "TrainMidcoder"},
    {"service": "superpose.v1.MidcoderService", "method": "EvaluateMidcoder"},
    {"service": "superpose.v1.MidcoderService", "method": "EstimateMidcoderTraining"},
    {"service": "superpose.v1.MidcoderService", "method": "ImportMidcoder"},
    {"service": "superpose.v1.MidcoderService", "method": "ListMidcoders"},
    {"service": "superpose.v1.MidcoderService", "method": "GetMidcoder"},
    {"service": "superpose.v1.MidcoderService", "method": "GetMidcoderHistory"},
    {"service": "superpose.v1.JobService", "method": "GetJob"},
    {"service": "superpose.v1.JobService", "method": "ListJobs"},
    {"service": "superpose.v1.StatisticsService", "method": "CollectStatistics"},
    {"service": "superpose.v1.StatisticsService", "method": "EstimateStatistics"},
    {"service": "superpose.v1.StatisticsService", "method": "MergeSnapshots"},
    {"service": "superpose.v1.StatisticsService", "method": "CompareSnapshots"},
    {"service": "superpose.v1.StatisticsService", "method": "AnalyzeSnapshot"},
    {"service": "superpose.v1.StatisticsService", "method": "ListSnapshots"},
    {"service": "superpose.v1.StatisticsService", "method": "GetSnapshot"},
    {"service": "superpose.v1.FactorizationService", "method": "FactorizeDecoders"},
    {"service": "superpose.v1.FactorizationService", "method": "EstimateFactorization"},
    {"service": "superpose.v1.FactorizationService", "method": "AnalyzeDirections"},
    {"service": "superpose.v1.FactorizationService", "method": "ListFactorizations"},
    {"service": "superpose.v1.FactorizationService", "method": "GetFactorization"},
    {"service": "superpose.v1.FactorizationService", "method": "ImportFactorization"}
  ],
  "retryPolicy": {
    "maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]
  }
}]})";

grpc::ChannelArguments ChannelSettings() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetServiceConfigJSON(kServiceConfig);
  // What a stream may send ahead of its reader is set: gRPC's probing for it costs a fast connection a third of its
  // speed.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kReadAheadBytes);
  // A server that restarts is found again within seconds, not gRPC's two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // A new client does not wait out the pauses of an old one.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

// Whether gRPC says, in its versions' several words, that nobody listens.
bool NobodyListens(absl::string_view message) {
  const std::string lower = absl::AsciiStrToLower(message);
  constexpr absl::string_view kWords[] = {"failed to connect", "connection refused", "resol", "unreachable",
                                          "no route"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](absl::string_view words) { return absl::StrContains(lower, words); });
}

}  // namespace

Connection::Connection(std::string server_address, ClientOptions client_options)
    : address(std::move(server_address)),
      options(std::move(client_options)),
      channel(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), ChannelSettings())),
      server(v1::ServerService::NewStub(channel)),
      models(v1::ModelService::NewStub(channel)),
      corpora(v1::CorpusService::NewStub(channel)),
      uploads(v1::UploadService::NewStub(channel)),
      prompts(v1::PromptService::NewStub(channel)),
      statistics(v1::StatisticsService::NewStub(channel)),
      factorizations(v1::FactorizationService::NewStub(channel)),
      features(v1::FeatureService::NewStub(channel)),
      midcoders(v1::MidcoderService::NewStub(channel)),
      jobs(v1::JobService::NewStub(channel)),
      tensors(v1::TensorService::NewStub(channel)) {}

void Connection::Prepare(absl::Time deadline, grpc::ClientContext* context) const {
  if (deadline != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline));
  if (!options.user.empty()) context->AddMetadata("x-superpose-user", options.user);
}

absl::Status Connection::StatusOf(const grpc::Status& status) const {
  absl::Status result = FromGrpc(status);
  if (!absl::IsUnavailable(result) || !ReasonOf(result).empty()) return result;
  if (NobodyListens(result.message())) {
    return absl::UnavailableError(absl::StrCat("no server answers at ", address,
                                               ": is it running, and is this its address? (superposed --config FILE "
                                               "starts one)"));
  }
  return absl::UnavailableError(absl::StrCat("the connection to the server at ", address, " broke (", result.message(),
                                             "): is it still running?"));
}

}  // namespace superpose::client
