// superpose corpora and superpose tokenize, against the real server.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/client/cli/run.h"
#include "tests/client/matchers.h"
#include "tests/lib/corpus/compress.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class CorporaVerbsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    // The demo model has a tokenizer.
    auto server = TinyServer::Start("model { name: \"demo\" path: \"" SUPERPOSE_DEMO_DIR "/model\" }");
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_, nullptr); }
  static Outcome Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", server_->address(), "--user", "ada"});
    return RunProgram(arguments);
  }
  static json AskForJson(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    Outcome outcome = Ask(std::move(arguments));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }

  TestFolder folder_;
  static inline std::unique_ptr<TinyServer> server_;
};

std::string BytesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr char kLines[] = "{\"text\": \"One cat sat.\"}\n{\"text\": \"Two dogs ran home.\"}\n";

TEST_F(CorporaVerbsTest, FilesAreUploadedListedAndDeleted) {
  const std::string first = folder_.Write("a.jsonl", kLines);
  const std::string second = folder_.Write("b.jsonl", "{\"text\": \"Three.\"}\n");
  const Outcome uploaded = Ask({"corpora", "upload", first, second, "--name", "mine", "--model", "demo"});
  EXPECT_EQ(uploaded.code, 0) << uploaded.err;
  EXPECT_THAT(uploaded.out, HasSubstr("corpora/mine"));
  EXPECT_THAT(uploaded.err, HasSubstr("a.jsonl: sent"));
  const Outcome list = Ask({"corpora"});
  EXPECT_THAT(list.out, HasSubstr("corpora/mine"));
  EXPECT_THAT(list.out, HasSubstr("ada"));
  const json again = AskForJson({"corpora", "upload", first, second, "--name", "mine", "--model", "demo"});
  EXPECT_EQ(again["documents"], "3");
  EXPECT_EQ(again["files"], "2");
  EXPECT_EQ(Ask({"corpora", "upload", first, "--name", "mine", "--model", "demo"}).code, 1);
  EXPECT_EQ(Ask({"corpora", "delete", "mine"}).out, "corpora/mine is deleted\n");
  EXPECT_EQ(Ask({"corpora", "delete", "mine"}).code, 3);
  const Outcome kept = Ask({"corpora", "delete", "rows"});
  EXPECT_EQ(kept.code, 1);
  EXPECT_THAT(kept.err, HasSubstr("RESOURCE_IN_USE"));
}

TEST_F(CorporaVerbsTest, AFolderIsOneCorpus) {
  std::filesystem::create_directory(folder_.File("shards"));
  folder_.Write("shards/1.jsonl", kLines);
  folder_.Write("shards/2.jsonl", kLines);
  folder_.Write("shards/.hidden", "x");
  const json corpus = AskForJson({"corpora", "upload", folder_.File("shards"), "--model", "demo"});
  EXPECT_EQ(corpus["documents"], "4");
  EXPECT_EQ(corpus["name"], "corpora/" + corpus["content_hash"].get<std::string>().substr(0, 12));
  EXPECT_EQ(AskForJson({"corpora", "delete", corpus["name"]}), json::object());
}

TEST_F(CorporaVerbsTest, WhatIsNoCorpusIsRefusedBeforeItIsSent) {
  const std::string table = folder_.Write("a.csv", "x"), text = folder_.Write("a.txt", "x");
  EXPECT_THAT(Ask({"corpora", "upload", table}).err, HasSubstr("a.csv must end in"));
  EXPECT_THAT(Ask({"corpora", "upload", text, folder_.Write("b.jsonl", kLines)}).err, HasSubstr("one kind"));
  EXPECT_EQ(Ask({"corpora", "upload", folder_.File("nowhere.txt")}).code, 3);
  EXPECT_EQ(Ask({"corpora", "upload"}).code, 2);
  EXPECT_EQ(Ask({"corpora", "remove", "x"}).code, 2);
}

TEST_F(CorporaVerbsTest, TokensOfFourBytesAreSaidToBeSo) {
  std::string ids;
  for (char id = 1; id <= 16; ++id) ids += {id, '\0', '\0', '\0'};
  const std::string file = folder_.Write("a.bin", ids);
  EXPECT_THAT(Ask({"corpora", "upload", file, "--model", "tiny"}).err, HasSubstr("uint32"));
  const json corpus = AskForJson({"corpora", "upload", file, "--model", "tiny", "--token-dtype", "uint32"});
  EXPECT_EQ(corpus["tokens"], "16");
  EXPECT_EQ(AskForJson({"corpora", "delete", corpus["name"]}), json::object());
  EXPECT_EQ(Ask({"corpora", "upload", file, "--token-dtype", "int64"}).code, 2);
  EXPECT_THAT(Ask({"corpora", "upload", folder_.Write("a.txt", "x"), "--token-dtype", "uint32"}).err,
              HasSubstr("for .bin files"));
}

TEST_F(CorporaVerbsTest, TokenFilesAreTheCorpusOfTheirText) {
  const std::string source = folder_.Write("a.jsonl", kLines);
  const json report =
      AskForJson({"tokenize", source, "--model", "demo", "--out", folder_.File("shards"), "--shard-tokens", "4"});
  EXPECT_EQ(report["documents"], 2);
  EXPECT_EQ(report["data_type"], "uint16");
  EXPECT_EQ(report["files"].size(), (report["tokens"].get<size_t>() + 3) / 4);
  const json text = AskForJson({"corpora", "upload", source, "--model", "demo", "--name", "text"});
  const json tokens = AskForJson({"corpora", "upload", folder_.File("shards"), "--model", "demo", "--name", "tokens"});
  EXPECT_EQ(text["tokens"], tokens["tokens"]);
  EXPECT_EQ(text["tokens"], std::to_string(report["tokens"].get<int64_t>()));
}

TEST_F(CorporaVerbsTest, CompressedTextHasTheTokensOfItsText) {
  const json plain =
      AskForJson({"tokenize", folder_.Write("a.jsonl", kLines), "--model", "demo", "--out", folder_.File("plain.npy")});
  for (const auto& [name, bytes] :
       {std::pair<std::string, std::string>{"a.jsonl.gz", Gzip(kLines)}, {"a.jsonl.zst", Zstd(kLines)}}) {
    const std::string out = folder_.File(name + ".npy");
    const json report = AskForJson({"tokenize", folder_.Write(name, bytes), "--model", "demo", "--out", out});
    EXPECT_EQ(report["tokens"], plain["tokens"]) << name;
    EXPECT_EQ(BytesOf(out), BytesOf(folder_.File("plain.npy"))) << name;
  }
  const std::string cut = folder_.Write("cut.jsonl.gz", Gzip(kLines).substr(0, 30));
  const Outcome refused = Ask({"tokenize", cut, "--model", "demo", "--out", folder_.File("cut.npy")});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("cut.jsonl.gz is truncated"));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("cut.npy")));
}

TEST_F(CorporaVerbsTest, TokenizeWritesOneFileAndNotOverIt) {
  const std::string source = folder_.Write("a.txt", "One cat sat.");
  const std::string out = folder_.File("out.npy");
  const Outcome outcome = Ask({"tokenize", source, "--model", "demo", "--out", out});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, out + "\n");
  EXPECT_THAT(outcome.err, HasSubstr("1 documents"));
  EXPECT_THAT(Ask({"tokenize", source, "--model", "demo", "--out", out}).err, HasSubstr("FILE_WRITE_FAILED"));
  EXPECT_THAT(Ask({"tokenize", source, "--model", "tiny", "--out", folder_.File("b.npy")}).err,
              HasSubstr("TOKENIZER_MISSING"));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.npy")));
  EXPECT_THAT(Ask({"tokenize", folder_.Write("empty.txt", ""), "--model", "demo", "--out", folder_.File("c.npy")}).err,
              HasSubstr("EMPTY_INPUT"));
  EXPECT_EQ(Ask({"tokenize", source}).code, 2);
}

}  // namespace
}  // namespace superpose::cli
