// Decoders that have no direction, and too many of them: of transcoders that the test writes.
#include <grpcpp/create_channel.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "tests/client/matchers.h"
#include "tests/integration/factorization_calls.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose::client {
namespace {

constexpr size_t kWidth = 32, kFeature = 5;
using Row = std::array<float, kWidth>;
using Rows = std::vector<Row>;

// Decoders that are all different.
Rows SoundDecoders(size_t count) {
  Rows rows(count);
  for (size_t i = 0; i < count * kWidth; ++i) rows[i / kWidth][i % kWidth] = std::sin(1 + static_cast<float>(i));
  return rows;
}

Rows SoundDecodersBut(const Row& row) {
  Rows rows = SoundDecoders(64);
  rows[kFeature] = row;
  return rows;
}

// As sae-lens saves a transcoder, with an encoder that is never active.
std::string WeightsOf(const Rows& decoders) {
  nlohmann::json header;
  std::string data;
  const auto add = [&](const char* name, const std::vector<size_t>& shape, const std::string& bytes) {
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  };
  const size_t count = decoders.size(), bytes = count * sizeof(Row);
  const std::vector<float> shut(count, -1);
  add("W_dec", {count, kWidth}, std::string(reinterpret_cast<const char*>(decoders.data()), bytes));
  add("W_enc", {kWidth, count}, std::string(bytes, '\0'));
  add("b_dec", {kWidth}, std::string(sizeof(Row), '\0'));
  add("b_enc", {count}, std::string(reinterpret_cast<const char*>(shut.data()), count * sizeof(float)));
  const std::string text = header.dump();
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

class BadDecodersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = TinyServer::Start(absl::StrCat("model_root: '", folder_.path(), "'"));
    ASSERT_OK(server);
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    auto client = server_->Connect();
    ASSERT_OK(client);
    client_ = std::make_unique<Client>(*std::move(client));
  }
  absl::StatusOr<v1::Transcoder> Load(const std::string& id, const Rows& decoders) const {
    std::ifstream sound(SUPERPOSE_TEST_DATA "/transcoder/saelens/transcoder/cfg.json");
    nlohmann::json config = nlohmann::json::parse(sound);
    config["d_sae"] = decoders.size();
    std::filesystem::create_directories(folder_.File(id));
    folder_.Write(id + "/cfg.json", config.dump());
    folder_.Write(id + "/sae_weights.safetensors", WeightsOf(decoders));
    v1::TranscoderEntry entry;
    entry.set_layer(kTinyLayer);
    entry.set_id(id);
    entry.set_path(id);
    return client_->LoadTranscoder("models/tiny", entry);
  }
  static std::string AskAbout(const std::string& id, const std::string& question, const std::string& fields = "") {
    return absl::StrCat("spec { ", question, " { directions { transcoder: 'models/tiny/transcoders/", id, "' } ",
                        fields, " } }");
  }
  // All that directions are used for refuses these, with or without a job.
  void ExpectRefused(const std::string& id, const std::string& reason, const std::string& in_message) const {
    const std::string decoders = absl::StrCat("directions { transcoder: 'models/tiny/transcoders/", id, "' }");
    BadCalls calls = {{FactorizeCall(), absl::StrCat("spec { ", decoders, " }"), kInvalid, reason, in_message}};
    for (const char* question : kQuestions) {
      calls.push_back({AnalyzeCall(), AskAbout(id, question), kInvalid, reason, in_message});
    }
    superpose::ExpectRefused(channel_, calls);
    v1::AnalysisSpec spec;
    spec.mutable_gram()->mutable_directions()->set_transcoder(absl::StrCat("models/tiny/transcoders/", id));
    ASSERT_OK_AND_ASSIGN(const v1::AnalyzeDirectionsResponse queued,
                         client_->AnalyzeDirections(spec, {.request_id = "", .as_job = true}));
    const auto end = client_->WaitForJob(queued.job().name());
    EXPECT_THAT(end, FailsWith(kInvalid, reason));
    EXPECT_THAT(end, MessageHas(in_message));
  }
  // Without feature 5 they are right.
  void ExpectRightWithout(const std::string& id) const {
    v1::FactorizationSpec spec;
    spec.mutable_directions()->set_transcoder(absl::StrCat("models/tiny/transcoders/", id));
    spec.mutable_directions()->mutable_features()->mutable_range()->set_start(kFeature + 1);
    spec.mutable_directions()->mutable_features()->mutable_range()->set_stop(64);
    spec.set_epochs(1);
    ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->Factorize(spec));
    EXPECT_OK(client_->WaitForJob(job.name()));
  }

  const TestFolder folder_;
  std::unique_ptr<TinyServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Client> client_;
};

TEST_F(BadDecodersTest, ADecoderOfLengthZeroIsToldByItsFeature) {
  Row constant;
  constant.fill(0.25F);
  const std::vector<std::pair<std::string, Row>> rows = {{"zero", Row{}}, {"constant", constant}};
  for (const auto& [id, row] : rows) {
    ASSERT_OK(Load(id, SoundDecodersBut(row)));
    ExpectRefused(id, "CONFIG_INVALID",
                  absl::StrCat("the decoder of feature 5 of models/tiny/transcoders/", id,
                               " has length 0, and points nowhere (of 64, 1 have no direction): leave it out"));
    ExpectRightWithout(id);
  }
}

// The second is finite as it lies in the file, but not when it is centred.
TEST_F(BadDecodersTest, ADecoderThatIsNotFiniteIsNotEvenLoaded) {
  Row broken{}, huge;
  broken[3] = std::numeric_limits<float>::quiet_NaN();
  huge.fill(-3e38F);
  huge[0] = 3e38F;
  for (const Row& row : {broken, huge}) {
    const auto refused = Load("infinite", SoundDecodersBut(row));
    EXPECT_THAT(refused, FailsWith(kInvalid, "TENSOR_NOT_FINITE"));
    EXPECT_THAT(refused, MessageHas("W_dec holds NaN or infinity"));
  }
}

TEST_F(BadDecodersTest, MatricesThatAreTooLargeAreRefusedBeforeWorkWithTheFigures) {
  ASSERT_OK(Load("large", SoundDecoders(10'001)));
  const std::string dense =
      "eigenvalues of 10001 directions are asked for, but a dense matrix is worked out for 10000 "
      "at most: ask for the top k, or for fewer directions";
  const std::string values =
      "cosines of 10001 directions are asked for, but 10000 are the most: ask for fewer "
      "directions, or without values";
  BadCalls calls = {{AnalyzeCall(), AskAbout("large", "spectrum"), kInvalid, "CONFIG_INVALID", dense},
                    {AnalyzeCall(), AskAbout("large", "whitening"), kInvalid, "CONFIG_INVALID", dense},
                    {AnalyzeCall(), AskAbout("large", "gram", "values: true"), kInvalid, "CONFIG_INVALID", values}};
  superpose::ExpectRefused(channel_, calls);
  for (BadCall& call : calls) call.request += " as_job: true";
  superpose::ExpectRefused(channel_, calls);
  EXPECT_OK(AnalyzeCall()(channel_, AskAbout("large", "gram"))) << "without values";
}

}  // namespace
}  // namespace superpose::client
