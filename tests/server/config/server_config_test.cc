#include "server/config/server_config.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::HasSubstr;

constexpr char kSmallest[] = R"(model { name: "demo" path: "model" })";

absl::StatusOr<v1::ServerConfig> Parse(const std::string& text) { return ParseServerConfig(text, "/etc/superpose"); }

// What Parse says against a text.
std::string Complaint(const std::string& text) {
  const auto config = Parse(text);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_EQ(ReasonOf(config.status()), "CONFIG_INVALID") << text;
  return std::string(config.status().message());
}

TEST(ServerConfigTest, DefaultsAreSafe) {
  const auto config = Parse(kSmallest);
  ASSERT_OK(config);
  EXPECT_EQ(config->listen_address(), "127.0.0.1:7077");
  EXPECT_EQ(config->metrics_address(), "");
  EXPECT_EQ(config->device(), "cpu");
  EXPECT_GE(config->threads(), 1);
  EXPECT_EQ(config->slice_milliseconds(), 50);
  EXPECT_EQ(config->max_unary_tokens(), 8192);
}

TEST(ServerConfigTest, RelativePathsAreTakenFromTheFilesFolder) {
  const auto config = Parse(R"(
    data_dir: "../data"
    model { name: "demo" path: "model" transcoder { layer: 2 path: "t/layer2.pt" log_sparsity_path: "/abs/s.pt" } }
    corpus { name: "c" path: "c.jsonl" })");
  ASSERT_OK(config);
  EXPECT_EQ(config->data_dir(), "/etc/data");
  EXPECT_EQ(config->model(0).path(), "/etc/superpose/model");
  EXPECT_EQ(config->model(0).transcoder(0).path(), "/etc/superpose/t/layer2.pt");
  EXPECT_EQ(config->model(0).transcoder(0).log_sparsity_path(), "/abs/s.pt");
  EXPECT_EQ(config->corpus(0).path(0), "/etc/superpose/c.jsonl");
}

TEST(ServerConfigTest, ATranscodersIdDefaultsToItsLayer) {
  const auto config = Parse(R"(model { name: "demo" path: "m" transcoder { layer: 3 path: "t.pt" } })");
  ASSERT_OK(config);
  EXPECT_EQ(config->model(0).transcoder(0).id(), "layer3");
}

TEST(ServerConfigTest, ACorpusBelongsToTheOnlyModel) {
  const auto config = Parse(R"(model { name: "demo" path: "m" } corpus { name: "c" path: "c.txt" })");
  ASSERT_OK(config);
  EXPECT_EQ(config->corpus(0).model(), "demo");
}

TEST(ServerConfigTest, AMistypedFieldIsNamedWithItsPlace) {
  EXPECT_THAT(Complaint("model { name: \"demo\" path: \"m\" }\n  devise: \"cpu\""), HasSubstr("line 2"));
  EXPECT_THAT(Complaint("threads: \"two\""), HasSubstr("line 1, column 10"));
}

TEST(ServerConfigTest, AddressesThatOthersCanReachMustBeAskedFor) {
  for (const char* address : {"0.0.0.0:7077", "[::]:7077", "10.1.2.3:7077", "lab-gpu:7077"}) {
    const std::string text = std::string(kSmallest) + " listen_address: \"" + address + "\"";
    EXPECT_THAT(Complaint(text), HasSubstr("allow_remote"));
    EXPECT_OK(Parse(text + " allow_remote: true"));
  }
  EXPECT_THAT(Complaint(std::string(kSmallest) + " metrics_address: \"0.0.0.0:9464\""), HasSubstr("allow_remote"));
  for (const char* address : {"127.0.0.1:0", "localhost:7077", "[::1]:7077"}) {
    EXPECT_OK(Parse(std::string(kSmallest) + " listen_address: \"" + address + "\""));
  }
}

TEST(ServerConfigTest, AddressesNeedAPort) {
  for (const char* address : {"127.0.0.1", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:65536", "127.0.0.1:-1"}) {
    EXPECT_THAT(Complaint(std::string(kSmallest) + " listen_address: \"" + address + "\""), HasSubstr("host:port"));
  }
}

TEST(ServerConfigTest, AHostThatOnlyLooksLikeLoopbackIsNot) {
  EXPECT_THAT(Complaint(std::string(kSmallest) + " listen_address: \"127.example.org:7077\""),
              HasSubstr("allow_remote"));
}

TEST(ServerConfigTest, NumbersMustBeAboveZero) {
  for (const char* field : {"threads", "slice_milliseconds", "max_unary_tokens", "max_queued_requests",
                            "max_running_jobs", "max_running_jobs_per_user", "checkpoint_seconds"}) {
    EXPECT_THAT(Complaint(std::string(kSmallest) + " " + field + ": -1"), HasSubstr(field));
  }
}

TEST(ServerConfigTest, BatchingHasDefaultsOfWhichADelayOfZeroIsNone) {
  auto config = Parse(kSmallest);
  ASSERT_OK(config);
  EXPECT_EQ(config->batching().max_requests(), 32);
  EXPECT_EQ(config->batching().max_tokens(), 1024);
  EXPECT_EQ(config->batching().max_delay_microseconds(), 2000);
  config = Parse(std::string(kSmallest) + "batching { max_requests: 1 max_delay_microseconds: 0 }");
  ASSERT_OK(config);
  EXPECT_EQ(config->batching().max_requests(), 1);
  EXPECT_EQ(config->batching().max_delay_microseconds(), 0);
}

TEST(ServerConfigTest, BatchingOutOfRangeIsRefused) {
  for (const char* setting : {"max_requests: -1", "max_tokens: -1", "max_tokens: 4097", "max_delay_microseconds: -1"}) {
    EXPECT_THAT(Complaint(std::string(kSmallest) + "batching { " + setting + " }"), HasSubstr("batching.max_"));
  }
  EXPECT_OK(Parse(std::string(kSmallest) + "batching { max_tokens: 4096 }"));
}

TEST(ServerConfigTest, AMemoryLimitIsAboveZeroOrLeftOut) {
  EXPECT_THAT(Complaint(std::string(kSmallest) + "memory_limit_bytes: -1"), HasSubstr("memory_limit_bytes is -1"));
  ASSERT_OK(Parse(std::string(kSmallest) + "memory_limit_bytes: 1000000"));
}

TEST(ServerConfigTest, RootsForLoadingAreTakenFromTheFilesFolder) {
  const auto config = Parse(std::string(kSmallest) + R"(model_root: "." model_root: "../models" model_root: "/srv")");
  ASSERT_OK(config);
  ASSERT_EQ(config->model_root_size(), 3);
  EXPECT_EQ(config->model_root(0), "/etc/superpose/");
  EXPECT_EQ(config->model_root(1), "/etc/models");
  EXPECT_EQ(config->model_root(2), "/srv");
}

TEST(ModelEntryTest, WhatACallAsksToLoadIsCheckedLikeTheFile) {
  v1::ModelEntry model;
  model.set_name("demo");
  model.set_path("m");
  model.add_transcoder()->set_path("a.pt");
  FillModelDefaults(&model);
  EXPECT_EQ(model.transcoder(0).id(), "layer0");
  EXPECT_OK(CheckModelEntry(model));
  *model.add_transcoder() = model.transcoder(0);
  EXPECT_THAT(CheckModelEntry(model), MessageHas("stands twice"));
  model.set_name("../demo");
  EXPECT_THAT(CheckModelEntry(model), MessageHas("model.name"));
  EXPECT_THAT(CheckTranscoderEntry(v1::TranscoderEntry()), MessageHas("transcoder.id"));
}

TEST(ServerConfigTest, DevicesAreNamed) {
  EXPECT_OK(Parse(std::string(kSmallest) + " device: \"cuda:1\""));
  for (const char* device : {"gpu", "cuda:", "cuda:x", "cuda:-1"}) {
    EXPECT_THAT(Complaint(std::string(kSmallest) + " device: \"" + device + "\""), HasSubstr("cuda:N"));
  }
}

TEST(ServerConfigTest, OnlyCudaDevicesRoundFactors) {
  const std::string smallest = kSmallest, tf32 = " matmul_precision: MATMUL_PRECISION_TF32";
  EXPECT_EQ(Parse(smallest)->matmul_precision(), v1::MATMUL_PRECISION_FLOAT32);
  EXPECT_THAT(Complaint(smallest + tf32), HasSubstr("CUDA"));
  EXPECT_EQ(Parse(smallest + tf32 + " device: 'cuda'")->matmul_precision(), v1::MATMUL_PRECISION_TF32);
  EXPECT_THAT(Complaint(smallest + " matmul_precision: 7 device: 'cuda'"), HasSubstr("matmul_precision"));
}

TEST(ServerConfigTest, NamesAreResourceNames) {
  for (const char* name : {"", "-", "GPT2", "a/b", "a b", "é"}) {
    EXPECT_THAT(Complaint(std::string("model { name: \"") + name + "\" path: \"m\" }"), HasSubstr("model.name"))
        << name;
  }
  EXPECT_OK(Parse(R"(model { name: "gpt2-small_v1.0" path: "m" })"));
}

TEST(ServerConfigTest, WhatStandsTwiceIsRefused) {
  const std::string model =
      R"(model { name: "a" path: "m" transcoder { layer: 1 path: "t" } transcoder { layer: 1 path: "u" } })";
  EXPECT_THAT(Complaint(model), HasSubstr("\"layer1\" stands twice"));
  EXPECT_THAT(Complaint(std::string(kSmallest) + kSmallest), HasSubstr("stands twice"));
  EXPECT_THAT(Complaint(std::string(kSmallest) + R"(corpus { name: "c" path: "x" } corpus { name: "c" path: "y" })"),
              HasSubstr("stands twice"));
}

TEST(ServerConfigTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(Complaint(""), HasSubstr("model is missing"));
  EXPECT_THAT(Complaint(R"(model { name: "a" })"), HasSubstr("has no path"));
  EXPECT_THAT(Complaint(R"(model { name: "a" path: "m" transcoder { layer: 0 } })"), HasSubstr("has no path"));
  EXPECT_THAT(Complaint(std::string(kSmallest) + R"(corpus { name: "c" })"), HasSubstr("has no path"));
}

TEST(ServerConfigTest, ACorpusOfSeveralModelsMustNameOne) {
  const std::string models = R"(model { name: "a" path: "m" } model { name: "b" path: "n" } )";
  EXPECT_THAT(Complaint(models + R"(corpus { name: "c" path: "x" })"), HasSubstr("model"));
  EXPECT_THAT(Complaint(models + R"(corpus { name: "c" path: "x" model: "z" })"), HasSubstr("model"));
  EXPECT_OK(Parse(models + R"(corpus { name: "c" path: "x" model: "b" })"));
}

TEST(ServerConfigTest, TokenTypesAreUnsignedIntegers) {
  EXPECT_THAT(Complaint(std::string(kSmallest) + R"(corpus { name: "c" path: "x.bin" token_dtype: "int64" })"),
              HasSubstr("uint16"));
}

TEST(ServerConfigTest, ATokenTypeThatWasNotSaidStaysSo) {
  const std::string corpora =
      R"(corpus { name: "a" path: "x.bin" } corpus { name: "b" path: "x" token_dtype: "uint16" })";
  ASSERT_OK_AND_ASSIGN(const v1::ServerConfig config, Parse(kSmallest + corpora));
  EXPECT_EQ(config.corpus(0).token_dtype(), "") << "so that a file that looks like the other type is noticed";
  EXPECT_EQ(config.corpus(1).token_dtype(), "uint16");
}

TEST(ReadServerConfigTest, NamesTheFileInItsComplaints) {
  EXPECT_EQ(ReasonOf(ReadServerConfig("/nowhere/server.textproto").status()), "FILE_NOT_FOUND");
  const std::string path = testing::TempDir() + "/bad_server.textproto";
  std::ofstream(path) << "model {";
  EXPECT_THAT(std::string(ReadServerConfig(path).status().message()), HasSubstr(path));
}

TEST(ReadServerConfigTest, ReadsAFile) {
  const std::string path = testing::TempDir() + "/server.textproto";
  std::ofstream(path) << "# a comment\n" << kSmallest;
  const auto config = ReadServerConfig(path);
  ASSERT_OK(config);
  EXPECT_EQ(config->model(0).path(), (std::filesystem::path(testing::TempDir()) / "model").lexically_normal().string());
}

}  // namespace
}  // namespace superpose
