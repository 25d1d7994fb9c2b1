// GetActivations as several clients call it at once, over gRPC, on a device that a test holds.
#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "server/services/feature_service.h"
#include "superpose/v1/server_config.pb.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

constexpr auto kLong = std::chrono::hours(10'000);

const ModelRegistry* Registry() {
  static const std::unique_ptr<ModelRegistry> registry = [] {
    constexpr char kConfig[] = R"(device: "cpu" model { name: "tiny" path: "$0/model"
        transcoder { layer: 1 id: "layer1" path: "$0/tiny_transcoder_dunefsky.pt" } })";
    v1::ServerConfig config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(absl::Substitute(kConfig, SUPERPOSE_TEST_DATA "/golden"),
                                                              &config));
    auto loaded = ModelRegistry::Load(config);
    EXPECT_OK(loaded);
    return loaded.ok() ? *std::move(loaded) : nullptr;
  }();
  return registry.get();
}

v1::GetActivationsRequest Request(int tokens) {
  v1::GetActivationsRequest request;
  request.mutable_query()->add_transcoders("models/tiny/layers/1");
  for (int i = 0; i < tokens; ++i) request.mutable_query()->mutable_tokens()->add_token_ids((7 * i + tokens) % 256);
  request.mutable_query()->mutable_tokens()->add_lengths(tokens);
  return request;
}

// How a call ended.
struct Ended {
  grpc::Status status;
  v1::GetActivationsResponse response;
  std::map<std::string, std::string> trailers;
};

std::vector<float> Values(const v1::SparseActivations& activations) {
  std::vector<float> values(activations.values().size() / sizeof(float));
  std::memcpy(values.data(), activations.values().data(), values.size() * sizeof(float));
  return values;
}

double Number(const Ended& ended, const std::string& name) {
  double number = -1;
  const auto found = ended.trailers.find(name);
  EXPECT_TRUE(found != ended.trailers.end() && absl::SimpleAtod(found->second, &number)) << name;
  return number;
}

class JoinedCallsTest : public testing::Test {
 protected:
  JoinedCallsTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&features_);
    server_ = builder.BuildAndStart();
    stub_ = v1::FeatureService::NewStub(server_->InProcessChannel({}));
  }
  ~JoinedCallsTest() override {
    Release();
    server_->Shutdown();
  }
  void SetUp() override { ASSERT_NE(Registry(), nullptr); }

  Ended Call(int tokens, std::chrono::milliseconds timeout = kLong) const {
    Ended ended;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    ended.status = stub_->GetActivations(&context, Request(tokens), &ended.response);
    for (const auto& [name, value] : context.GetServerTrailingMetadata())
      ended.trailers[std::string(name.data(), name.size())] = std::string(value.data(), value.size());
    return ended;
  }
  // All at once, and the device does not go on before all of them wait for it.
  std::vector<Ended> CallTogether(const std::vector<int>& lengths) {
    std::vector<Ended> ended(lengths.size());
    Hold();
    std::vector<std::jthread> clients;
    for (size_t i = 0; i < lengths.size(); ++i) {
      clients.emplace_back([this, &ended, &lengths, i] { ended[i] = Call(lengths[i]); });
      AwaitWaiting(i + 1);
    }
    clock_.Advance(absl::Milliseconds(250));
    Release();
    clients.clear();
    EXPECT_OK(executor_.RunAndWait([] { return absl::OkStatus(); })) << "and all is counted";
    return ended;
  }

  void Hold() {
    Notification held;
    DeviceRequest request;
    request.run = [&held, this](const absl::Status&) {
      held.Notify();
      release_.Wait();
    };
    ASSERT_OK(executor_.Submit(std::move(request)));
    held.Wait();
  }
  void Release() { release_.Notify(); }
  void AwaitWaiting(size_t requests) const {
    const std::string line = absl::StrCat("superpose_device_queue_depth ", requests, "\n");
    while (metrics_.Text().find(line) == std::string::npos) std::this_thread::yield();
  }

  FakeClock clock_;
  Metrics metrics_;
  Notification release_;
  MemoryBudget budget_{int64_t{1} << 30};
  DeviceExecutor executor_{{.threads = 1}, &clock_, &metrics_};
  Worker worker_;
  FeatureServiceImpl features_{Registry(), &budget_, &executor_, &worker_, Limits(), &metrics_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::FeatureService::Stub> stub_;
};

TEST_F(JoinedCallsTest, CallsThatWaitBehindASlowOneRunAsOneBatchAndGetWhatTheyGetAlone) {
  const std::vector<int> lengths = {20, 11, 32, 17};
  std::vector<Ended> alone;
  for (const int length : lengths) alone.push_back(Call(length));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_requests_count 4\n"));
  const std::vector<Ended> joined = CallTogether(lengths);
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_requests_count 5\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_batch_requests_sum 8\n"));
  for (size_t i = 0; i < lengths.size(); ++i) {
    ASSERT_TRUE(joined[i].status.ok()) << joined[i].status.error_message();
    ASSERT_TRUE(alone[i].status.ok()) << alone[i].status.error_message();
    const auto& ours = joined[i].response.activations().layers(0).activations();
    const auto& theirs = alone[i].response.activations().layers(0).activations();
    ASSERT_EQ(ours.row_splits().size(), (lengths[i] + 1) * sizeof(int64_t));
    EXPECT_EQ(ours.row_splits(), theirs.row_splits());
    EXPECT_EQ(ours.feature_ids(), theirs.feature_ids());
    EXPECT_THAT(Values(ours), Pointwise(FloatNear(1e-5), Values(theirs)));
  }
}

TEST_F(JoinedCallsTest, TheTrailingMetadataSaysWhereTheTimeWent) {
  const Ended alone = Call(8);
  EXPECT_EQ(Number(alone, "superpose-queue-ms"), 0);
  EXPECT_EQ(Number(alone, "superpose-batch-requests"), 1);
  EXPECT_EQ(Number(alone, "superpose-batch-tokens"), 8);
  const std::vector<Ended> joined = CallTogether({10, 12});
  for (const Ended& ended : joined) {
    EXPECT_EQ(Number(ended, "superpose-queue-ms"), 250);
    EXPECT_EQ(Number(ended, "superpose-compute-ms"), 0) << "the clock stands still";
    EXPECT_EQ(Number(ended, "superpose-batch-requests"), 2);
    EXPECT_EQ(Number(ended, "superpose-batch-tokens"), 22);
  }
  EXPECT_THAT(metrics_.Text(), HasSubstr("superpose_device_queue_seconds_sum 0.5\n"));
}

TEST_F(JoinedCallsTest, OneThatIsWrongDoesNotTouchTheOthers) {
  Ended wrong;
  Hold();
  std::jthread good([this] { EXPECT_TRUE(Call(10).status.ok()); });
  AwaitWaiting(1);
  std::jthread other([this] { EXPECT_TRUE(Call(12).status.ok()); });
  AwaitWaiting(2);
  wrong = Call(65);
  EXPECT_EQ(wrong.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "it does not come to the device";
  Release();
}

TEST_F(JoinedCallsTest, OneWhoseDeadlinePassesIsNotInTheBatch) {
  Hold();
  std::jthread good([this] { EXPECT_EQ(Number(Call(10), "superpose-batch-requests"), 2); });
  AwaitWaiting(1);
  EXPECT_EQ(Call(11, std::chrono::milliseconds(50)).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  AwaitWaiting(2);
  std::jthread other([this] { EXPECT_EQ(Number(Call(12), "superpose-batch-requests"), 2); });
  AwaitWaiting(3);
  clock_.Advance(absl::Now() - clock_.Now());
  Release();
}

}  // namespace
}  // namespace superpose
