// Loading and unloading while others work, and refusals for want of memory, against the real server.
#include <grpc/health/v1/health.grpc.pb.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/matchers.h"
#include "tests/client/tiny_specs.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

MATCHER_P(HasReason, reason, "has that reason") {
  const absl::Status& status = StatusOf(arg);
  *result_listener << status.ToString() << " reason " << client::ReasonOf(status);
  return client::ReasonOf(status) == reason;
}

constexpr char kTranscoder[] = "models/tiny/transcoders/layer1";
constexpr char kGolden[] = SUPERPOSE_TEST_DATA "/golden";

v1::TranscoderEntry Entry(const std::string& id, const std::string& path = "tiny_transcoder_dunefsky.pt") {
  v1::TranscoderEntry entry;
  entry.set_layer(kTinyLayer);
  entry.set_id(id);
  entry.set_path(path);
  return entry;
}

client::ActivationsQuery Query(int64_t tokens, const std::string& transcoder = kTranscoder) {
  client::ActivationsQuery query;
  query.transcoders = {transcoder};
  for (int64_t begin = 0; begin < tokens; begin += kTinyRowLength) {
    std::vector<int32_t> row;
    for (int i = 0; i < kTinyRowLength; ++i) row.push_back(static_cast<int32_t>((begin + i) % 256));
    query.sequences.push_back(std::move(row));
  }
  return query;
}

class LoadingTest : public testing::Test {
 protected:
  void Start(const std::string& more_config) {
    auto server = TinyServer::Start(more_config);
    ASSERT_OK(server);
    server_ = *std::move(server);
    auto client = server_->Connect();
    ASSERT_OK(client);
    client_ = std::make_unique<Client>(*std::move(client));
  }
  void SetUp() override { Start(absl::Substitute("model_root: \"$0\"", kGolden)); }

  int64_t UsedBytes() const {
    const auto info = client_->GetServerInfo();
    EXPECT_OK(info);
    return info.ok() ? info->memory_used_bytes() : 0;
  }
  size_t Transcoders() const {
    const auto model = client_->GetModel("models/tiny");
    EXPECT_OK(model);
    return model.ok() ? static_cast<size_t>(model->transcoders_size()) : 0;
  }
  bool Serves(const std::string& name) const {
    const auto channel = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(name);
    grpc::health::v1::HealthCheckResponse response;
    const grpc::Status status = grpc::health::v1::Health::NewStub(channel)->Check(&context, request, &response);
    return status.ok() && response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  }
  v1::Job StartEndlessJob() const {
    const auto job = client_->TrainMidcoder(EndlessTraining());
    EXPECT_OK(job);
    EXPECT_OK(WaitUntilItRuns(*client_, job->name()));
    return *job;
  }
  void EndJob(const v1::Job& job) const {
    EXPECT_OK(client_->CancelJob(job.name()));
    EXPECT_OK(client_->WatchJob(job.name(), nullptr));
  }

  std::unique_ptr<TinyServer> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(LoadingTest, ATranscoderIsLoadedUsedAndUnloadedWhileAJobTrains) {
  const v1::Job job = StartEndlessJob();
  const int64_t before = UsedBytes();
  ASSERT_OK_AND_ASSIGN(const v1::Transcoder loaded, client_->LoadTranscoder("models/tiny", Entry("second")));
  EXPECT_EQ(loaded.name(), "models/tiny/transcoders/second");
  EXPECT_GT(loaded.memory_bytes(), 0);
  EXPECT_GE(UsedBytes(), before + loaded.memory_bytes());
  ASSERT_OK_AND_ASSIGN(const auto by_second, client_->GetActivations(Query(32, loaded.name())));
  ASSERT_OK_AND_ASSIGN(const auto by_first, client_->GetActivations(Query(32)));
  EXPECT_EQ(by_second.layers[0].activations.values, by_first.layers[0].activations.values) << "they are of one file";

  ASSERT_OK(client_->UnloadTranscoder(loaded.name()));
  EXPECT_EQ(UsedBytes(), before);
  EXPECT_THAT(client_->GetActivations(Query(32, loaded.name())), HasReason("TRANSCODER_NOT_FOUND"));
  ASSERT_OK_AND_ASSIGN(const v1::Job still, client_->GetJob(job.name()));
  EXPECT_EQ(still.state(), v1::JOB_STATE_RUNNING);
  EndJob(job);
}

TEST_F(LoadingTest, WhatAJobUsesIsNotUnloadedOrReplaced) {
  const v1::Job job = StartEndlessJob();
  EXPECT_THAT(client_->UnloadTranscoder(kTranscoder), HasReason("RESOURCE_IN_USE"));
  const absl::Status model = client_->UnloadModel("models/tiny");
  EXPECT_THAT(model, HasReason("RESOURCE_IN_USE"));
  EXPECT_THAT(std::string(model.message()), HasSubstr(job.name()));
  EXPECT_THAT(client_->LoadTranscoder("models/tiny", Entry("layer1"), /*replace=*/true), HasReason("RESOURCE_IN_USE"));
  EXPECT_OK(client_->GetActivations(Query(32)));
  EndJob(job);
  EXPECT_OK(client_->UnloadTranscoder(kTranscoder));
  EXPECT_EQ(Transcoders(), 0U);
}

TEST_F(LoadingTest, AStreamUnderWayKeepsItsTranscoderAndUnloadingWaitsForItsEnd) {
  std::thread unloading;
  bool unloaded = false;
  int64_t rows = 0;
  const int64_t tokens = 64 * kTinyRowLength * 4;
  ASSERT_OK(client_->StreamActivations(Query(tokens), [&](client::Activations part) {
    rows += part.layers[0].activations.rows();
    if (unloading.joinable()) return absl::OkStatus();
    unloading = std::thread([&] {
      EXPECT_OK(client_->UnloadTranscoder(kTranscoder));
      unloaded = true;
    });
    // It is taken out at once; the stream goes on.
    while (client_->GetActivations(Query(32)).ok()) std::this_thread::yield();
    return absl::OkStatus();
  }));
  EXPECT_EQ(rows, tokens);
  unloading.join();
  EXPECT_TRUE(unloaded);
  EXPECT_EQ(Transcoders(), 0U);
}

TEST_F(LoadingTest, AModelIsUnloadedAndLoadedAgain) {
  ASSERT_OK_AND_ASSIGN(const v1::Model before, client_->GetModel("models/tiny"));
  ASSERT_OK(client_->UnloadModel("models/tiny"));
  EXPECT_EQ(UsedBytes(), 0);
  EXPECT_THAT(client_->GetModel("models/tiny"), HasReason("MODEL_NOT_FOUND"));
  v1::ModelEntry entry;
  entry.set_name("tiny");
  entry.set_path("model");
  *entry.add_transcoder() = Entry("layer1");
  ASSERT_OK_AND_ASSIGN(const v1::Model after, client_->LoadModel(entry));
  EXPECT_EQ(after.content_hash(), before.content_hash());
  ASSERT_EQ(after.transcoders_size(), 1);
  EXPECT_EQ(after.transcoders(0).content_hash(), before.transcoders(0).content_hash());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(ShortTraining()));
  EXPECT_OK(client_->WaitForJob(job.name()));
}

TEST_F(LoadingTest, HealthFollowsTheModels) {
  EXPECT_TRUE(Serves("models/tiny"));
  ASSERT_OK(client_->UnloadModel("models/tiny"));
  EXPECT_FALSE(Serves("models/tiny"));
  v1::ModelEntry entry;
  entry.set_name("again");
  entry.set_path("model");
  ASSERT_OK(client_->LoadModel(entry));
  EXPECT_TRUE(Serves("models/again"));
}

class DamagedFileTest : public LoadingTest {
 protected:
  void SetUp() override {
    const std::string whole = absl::StrCat(kGolden, "/tiny_transcoder_dunefsky.pt");
    fs::copy_file(whole, root_.File("cut.pt"));
    fs::resize_file(root_.File("cut.pt"), fs::file_size(whole) / 2);
    Start(absl::Substitute("model_root: \"$0\"", root_.path()));
  }
  TestFolder root_;
};

TEST_F(DamagedFileTest, ALoadThatFailsLeavesTheOldOneServing) {
  const int64_t before = UsedBytes();
  EXPECT_THAT(client_->LoadTranscoder("models/tiny", Entry("layer1", "cut.pt"), /*replace=*/true),
              HasReason("FILE_CORRUPT"));
  EXPECT_EQ(UsedBytes(), before);
  EXPECT_OK(client_->GetActivations(Query(32)));
}

TEST_F(LoadingTest, OnlyTheRootsAreRead) {
  const auto refused = client_->LoadTranscoder("models/tiny", Entry("x", "../../../../etc/passwd"));
  EXPECT_THAT(refused, HasReason("PATH_NOT_ALLOWED"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
  v1::ModelEntry entry;
  entry.set_name("other");
  entry.set_path("/etc");
  EXPECT_THAT(client_->LoadModel(entry), HasReason("PATH_NOT_ALLOWED"));
  entry.set_path("model");
  entry.mutable_transcoder()->Add(Entry("x", "/etc/passwd"));
  EXPECT_THAT(client_->LoadModel(entry), HasReason("PATH_NOT_ALLOWED"));
  EXPECT_EQ(Transcoders(), 1U);
}

TEST_F(LoadingTest, NamesAreCheckedBeforeAnythingIsRead) {
  EXPECT_THAT(client_->LoadTranscoder("models/tiny", Entry("layer1")), HasReason("RESOURCE_EXISTS"));
  EXPECT_THAT(client_->LoadTranscoder("models/tiny", Entry("../x")), HasReason("CONFIG_INVALID"));
  EXPECT_THAT(client_->LoadTranscoder("models/none", Entry("x")), HasReason("MODEL_NOT_FOUND"));
  v1::ModelEntry entry;
  entry.set_name("tiny");
  entry.set_path("model");
  EXPECT_THAT(client_->LoadModel(entry), HasReason("RESOURCE_EXISTS"));
  EXPECT_THAT(client_->UnloadModel("models/none"), HasReason("MODEL_NOT_FOUND"));
  EXPECT_THAT(client_->UnloadTranscoder("models/tiny/transcoders/none"), HasReason("TRANSCODER_NOT_FOUND"));
}

class WithoutRootsTest : public LoadingTest {
 protected:
  void SetUp() override { Start(""); }
};

TEST_F(WithoutRootsTest, NothingIsLoadedAndTheErrorSaysWhatToConfigure) {
  const auto refused = client_->LoadTranscoder("models/tiny", Entry("x", absl::StrCat(kGolden, "/x.pt")));
  EXPECT_THAT(refused, HasReason("PATH_NOT_ALLOWED"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("model_root"));
}

// The tiny model and its transcoder take about 0.4 MiB, and at most 1.3 MiB while they are loaded.
class LittleMemoryTest : public LoadingTest {
 protected:
  void SetUp() override { Start(absl::Substitute("memory_limit_bytes: 8000000 model_root: \"$0\"", kGolden)); }
};

TEST_F(LittleMemoryTest, ATrainingThatCanNeverFitIsRefusedWithTheBatchThatWould) {
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_batch_size(4096);
  const auto refused = client_->TrainMidcoder(spec);
  EXPECT_THAT(refused, HasReason("MEMORY_EXCEEDED"));
  const std::string message(refused.status().message());
  EXPECT_THAT(message, HasSubstr("this training needs"));
  const size_t at = message.find("batch_size ");
  ASSERT_NE(at, std::string::npos) << message;
  const int64_t batch = std::stoll(message.substr(at + sizeof("batch_size ") - 1));
  spec.set_batch_size(batch + 1);
  EXPECT_THAT(client_->TrainMidcoder(spec), HasReason("MEMORY_EXCEEDED"));
  spec.set_batch_size(batch);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->TrainMidcoder(spec));
  EXPECT_OK(client_->WaitForJob(job.name()));
}

TEST_F(LittleMemoryTest, TheEstimateSaysWhatItTakesAndWhatWouldFit) {
  ASSERT_OK_AND_ASSIGN(const v1::MemoryEstimate small, client_->EstimateMidcoderTraining(ShortTraining()));
  EXPECT_GT(small.peak_bytes(), 3 * 256 * 128 * 4);
  EXPECT_EQ(small.checkpoint_bytes(), 3 * 4 * (256 * 128 + 128 + 32));
  EXPECT_GT(small.available_bytes(), small.peak_bytes());
  EXPECT_EQ(small.advice(), "");
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_batch_size(4096);
  ASSERT_OK_AND_ASSIGN(const v1::MemoryEstimate large, client_->EstimateMidcoderTraining(spec));
  EXPECT_GT(large.peak_bytes(), large.available_bytes());
  EXPECT_THAT(large.advice(), HasSubstr("would fit"));
}

// A forward pass of 4,096 tokens at once takes 6.3 MB.
class LessMemoryTest : public LoadingTest {
 protected:
  void SetUp() override { Start("memory_limit_bytes: 5000000"); }
};

TEST_F(LessMemoryTest, ActivationsThatCanNeverFitAreRefusedWithHowManyWould) {
  const auto refused = client_->GetActivations(Query(8192));
  EXPECT_THAT(refused, HasReason("MEMORY_EXCEEDED"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("sequences would fit"));
  EXPECT_OK(client_->GetActivations(Query(64)));
  int64_t rows = 0;
  EXPECT_OK(client_->StreamActivations(Query(8192), [&](client::Activations part) {
    rows += part.layers[0].activations.rows();
    return absl::OkStatus();
  }));
  EXPECT_EQ(rows, 8192) << "a stream takes memory for a part at a time";
}

TEST_F(LessMemoryTest, AStreamWhoseTokensDoNotFitIsRefused) {
  const absl::Status refused = client_->StreamActivations(Query(2'000'000), [](const client::Activations&) {
    ADD_FAILURE() << "it has begun";
    return absl::OkStatus();
  });
  EXPECT_THAT(refused, HasReason("MEMORY_EXCEEDED"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("keeping the tokens of this request needs 9.1 MiB"));
  EXPECT_OK(client_->GetActivations(Query(64)));
}

TEST_F(LittleMemoryTest, ServerInfoTellsTheLimitAndWhatIsUsed) {
  ASSERT_OK_AND_ASSIGN(const v1::GetServerInfoResponse info, client_->GetServerInfo());
  EXPECT_EQ(info.memory_limit_bytes(), 8'000'000);
  ASSERT_OK_AND_ASSIGN(const v1::Model model, client_->GetModel("models/tiny"));
  EXPECT_GE(info.memory_used_bytes(), model.memory_bytes());
}

TEST(MemoryLimitTest, AServerWhoseModelsDoNotFitDoesNotStart) {
  const auto server = TinyServer::Start("memory_limit_bytes: 100000");
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("MEMORY_EXCEEDED"));
}

}  // namespace
}  // namespace superpose
