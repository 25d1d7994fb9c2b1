// What tools that know gRPC and Prometheus, but not this server, find: health, reflection and metrics.
#include <google/protobuf/descriptor.pb.h>
#include <grpc/health/v1/health.grpc.pb.h>
#include <grpc/reflection/v1alpha/reflection.grpc.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/client/matchers.h"
#include "tests/client/tiny_specs.h"
#include "tests/integration/http_get.h"
#include "tests/support/tiny_server.h"

namespace superpose {
namespace {

namespace health = grpc::health::v1;
namespace reflection = grpc::reflection::v1alpha;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAreArray;

// Full names of the services that the contract's files declare.
std::vector<std::string> ServicesOfTheContract() {
  std::vector<std::string> names;
  const std::regex service("^service (\\w+) \\{.*");
  for (const auto& file : std::filesystem::directory_iterator(SUPERPOSE_SOURCE_DIR "/proto/superpose/v1")) {
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) {
      std::smatch match;
      if (std::regex_match(line, match, service)) names.push_back(absl::StrCat("superpose.v1.", match.str(1)));
    }
  }
  return names;
}

class ServiceSurfaceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<TinyServer>> server = TinyServer::Start("metrics_address: '127.0.0.1:0'");
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    absl::StatusOr<Client> client = server_->Connect();
    ASSERT_OK(client);
    client_ = *std::move(client);
    metrics_address_ = server_->process().WaitForLog("listening")["metrics"];
  }

  const Client& client() const { return *client_; }

  static void SetDeadline(grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  }

  // SERVING for a name that is served; the call's error else.
  absl::StatusOr<health::HealthCheckResponse::ServingStatus> Check(const std::string& service) const {
    grpc::ClientContext context;
    SetDeadline(&context);
    health::HealthCheckRequest request;
    request.set_service(service);
    health::HealthCheckResponse response;
    const grpc::Status status = health::Health::Stub(channel_).Check(&context, request, &response);
    if (!status.ok()) return client::FromGrpc(status);
    return response.status();
  }

  reflection::ServerReflectionResponse Reflect(const reflection::ServerReflectionRequest& request) const {
    grpc::ClientContext context;
    SetDeadline(&context);
    const auto stream = reflection::ServerReflection::Stub(channel_).ServerReflectionInfo(&context);
    reflection::ServerReflectionResponse response;
    EXPECT_TRUE(stream->Write(request) && stream->WritesDone() && stream->Read(&response));
    EXPECT_TRUE(stream->Finish().ok());
    return response;
  }

  std::vector<std::string> ReflectedServices() const {
    reflection::ServerReflectionRequest request;
    request.set_list_services("*");
    std::vector<std::string> names;
    const reflection::ServerReflectionResponse response = Reflect(request);
    for (const reflection::ServiceResponse& service : response.list_services_response().service())
      names.push_back(service.name());
    return names;
  }

  // What Prometheus would get; "" and a failure when it gets nothing.
  std::string Scrape() const {
    const absl::StatusOr<std::string> answer = HttpGet(metrics_address_, "/metrics");
    EXPECT_OK(answer);
    return answer.value_or("");
  }

  // The value of one time series, as `superpose_jobs{state="RUNNING"}`; nothing when it is not there.
  std::optional<double> Metric(const std::string& series) const {
    for (absl::string_view line : absl::StrSplit(Scrape(), '\n')) {
      double value = 0;
      if (!absl::ConsumePrefix(&line, series) || !absl::ConsumePrefix(&line, " ")) continue;
      if (absl::SimpleAtod(absl::StripAsciiWhitespace(line), &value)) return value;
    }
    return std::nullopt;
  }

  // For what the server counts in the background: scrapes until the value is there, for a minute at most.
  bool BecomesMetric(const std::string& series, double wanted) const {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (absl::Now() < deadline) {
      if (Metric(series) == wanted) return true;
    }
    return false;
  }

  static inline std::unique_ptr<TinyServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::optional<Client> client_;
  std::string metrics_address_;
};

TEST_F(ServiceSurfaceTest, TheServerEveryServiceAndEveryModelAreHealthy) {
  std::vector<std::string> names = ReflectedServices();
  std::erase_if(names, [](const std::string& name) { return !absl::StartsWith(name, "superpose.v1."); });
  EXPECT_THAT(names, Not(IsEmpty()));
  names.insert(names.end(), {"", "models/tiny"});
  for (const std::string& name : names) {
    ASSERT_OK_AND_ASSIGN(const auto status, Check(name));
    EXPECT_EQ(status, health::HealthCheckResponse::SERVING) << name;
  }
}

TEST_F(ServiceSurfaceTest, TheHealthOfWhatIsNotThereIsNotFound) {
  for (const char* name :
       {"models/other", "tiny", "superpose.v1.OtherService", "ModelService", "models/", "corpora/rows"})
    EXPECT_EQ(Check(name).status().code(), absl::StatusCode::kNotFound) << name;
}

TEST_F(ServiceSurfaceTest, ReflectionListsEveryServiceOfTheContract) {
  const std::vector<std::string> contract = ServicesOfTheContract();
  EXPECT_THAT(contract, Contains("superpose.v1.ModelService"));
  std::vector<std::string> ours = ReflectedServices();
  EXPECT_THAT(ours, Contains("grpc.health.v1.Health"));
  std::erase_if(ours, [](const std::string& name) { return !absl::StartsWith(name, "superpose."); });
  EXPECT_THAT(ours, UnorderedElementsAreArray(contract));
}

TEST_F(ServiceSurfaceTest, ReflectionDescribesAService) {
  reflection::ServerReflectionRequest request;
  request.set_file_containing_symbol("superpose.v1.ModelService");
  const reflection::ServerReflectionResponse response = Reflect(request);
  std::vector<std::string> methods;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    for (const auto& service : file.service())
      for (const auto& method : service.method()) methods.push_back(absl::StrCat(service.name(), ".", method.name()));
  }
  EXPECT_THAT(methods, Contains("ModelService.ListModels"));
  EXPECT_THAT(methods, Contains("ModelService.Tokenize"));
}

TEST_F(ServiceSurfaceTest, ReflectionOfASymbolThatIsNotThereIsAnError) {
  reflection::ServerReflectionRequest request;
  request.set_file_containing_symbol("superpose.v1.OtherService");
  EXPECT_EQ(Reflect(request).error_response().error_code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
}

TEST_F(ServiceSurfaceTest, MetricsAreServedAsPrometheusReadsThem) {
  const std::string answer = Scrape();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("text/plain"));
  for (const char* type :
       {"superpose_requests_total counter", "superpose_request_seconds histogram", "superpose_open_requests gauge",
        "superpose_device_queue_depth gauge", "superpose_device_slices_total counter", "superpose_jobs gauge"}) {
    EXPECT_THAT(answer, HasSubstr(absl::StrCat("# TYPE ", type)));
  }
  ASSERT_OK_AND_ASSIGN(const std::string other, HttpGet(metrics_address_, "/other"));
  EXPECT_THAT(other, StartsWith("HTTP/1.1 404"));
}

TEST_F(ServiceSurfaceTest, EveryCallIsCountedAndTimed) {
  const std::string ok = R"(superpose_requests_total{code="OK",method="GetModel"})";
  const std::string not_found = R"(superpose_requests_total{code="NOT_FOUND",method="GetModel"})";
  const std::string timed = R"(superpose_request_seconds_count{method="GetModel"})";
  const double ok_before = Metric(ok).value_or(0);
  const double not_found_before = Metric(not_found).value_or(0);
  const double timed_before = Metric(timed).value_or(0);
  ASSERT_OK(client().GetModel());
  ASSERT_OK(client().GetModel());
  ASSERT_FALSE(client().GetModel("models/other").ok());
  EXPECT_EQ(Metric(ok), ok_before + 2);
  EXPECT_EQ(Metric(not_found), not_found_before + 1);
  EXPECT_EQ(Metric(timed), timed_before + 3);
  EXPECT_EQ(Metric(R"(superpose_request_seconds_bucket{method="GetModel",le="+Inf"})"), timed_before + 3);
  EXPECT_GT(Metric(R"(superpose_request_seconds_sum{method="GetModel"})").value_or(0), 0);
  EXPECT_EQ(Metric("superpose_open_requests"), 0);
}

TEST_F(ServiceSurfaceTest, ActivationsCountTheirTokensAndLeaveTheQueueEmpty) {
  const std::string tokens = R"(superpose_tokens_total{work="activations"})";
  const double before = Metric(tokens).value_or(0);
  client::ActivationsQuery query;
  query.transcoders = {client::LayerName(kTinyLayer)};
  query.sequences = {{1, 2, 3}, {4, 5}};
  ASSERT_OK(client().GetActivations(query));
  EXPECT_EQ(Metric(tokens), before + 5);
  EXPECT_EQ(Metric("superpose_device_queue_depth"), 0);
}

TEST_F(ServiceSurfaceTest, JobsAreCountedByStateWithTheTokensOfTheirWork) {
  const std::string succeeded = R"(superpose_jobs{state="SUCCEEDED"})";
  const std::string running = R"(superpose_jobs{state="RUNNING"})";
  const std::string tokens = R"(superpose_tokens_total{work="train_midcoder"})";
  const double succeeded_before = Metric(succeeded).value_or(0);
  const double tokens_before = Metric(tokens).value_or(0);
  const v1::MidcoderTrainingSpec spec = ShortTraining();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().TrainMidcoder(spec));
  ASSERT_OK(client().WaitForJob(job.name()));
  EXPECT_TRUE(BecomesMetric(succeeded, succeeded_before + 1)) << Scrape();
  const auto trained_on = static_cast<double>(spec.steps() * spec.batch_size() * kTinyRowLength);
  EXPECT_EQ(Metric(tokens), tokens_before + trained_on);
  EXPECT_GT(Metric("superpose_device_slices_total").value_or(0), 0);

  ASSERT_OK_AND_ASSIGN(const v1::Job endless, client().TrainMidcoder(EndlessTraining()));
  EXPECT_TRUE(BecomesMetric(running, 1)) << Scrape();
  ASSERT_OK(client().CancelJob(endless.name()));
  EXPECT_TRUE(BecomesMetric(running, 0)) << Scrape();
  EXPECT_TRUE(BecomesMetric(R"(superpose_jobs{state="CANCELLED"})", 1)) << Scrape();
}

}  // namespace
}  // namespace superpose
