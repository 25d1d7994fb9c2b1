// Every verb prints JSON when it is asked to. A verb that this test does not know fails it.
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/substitute.h"
#include "gmock/gmock.h"
#include "tests/client/cli/verb_list.h"
#include "tests/client/matchers.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose::cli {
namespace {

using nlohmann::json;

constexpr char kTranscoder[] = "models/tiny/transcoders/layer1";

class JsonOfVerbsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The demo model has a tokenizer.
    auto server = TinyServer::Start(absl::Substitute("model { name: \"demo\" path: \"$0/model\" } model_root: \"$1\"",
                                                     SUPERPOSE_DEMO_DIR, SUPERPOSE_TEST_DATA "/golden"));
    ASSERT_OK(server);
    server_ = *std::move(server);
  }

  // What the verb prints.
  json Ask(const std::vector<std::string>& verb, const std::vector<std::string>& more = {}) {
    asked_.insert(absl::StrJoin(verb, " "));
    std::vector<std::string> arguments = verb;
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), {"--json", "--server", server_->address()});
    const Outcome outcome = RunProgram(arguments);
    const std::string command = absl::StrJoin(arguments, " ");
    EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.err;
    EXPECT_TRUE(json::accept(outcome.out)) << command << "\n" << outcome.out;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }
  // The same, where there is nothing to look at.
  void Try(const std::vector<std::string>& verb, const std::vector<std::string>& more = {}) {
    EXPECT_TRUE(Ask(verb, more).is_object()) << absl::StrJoin(verb, " ");
  }

  void AskAboutModels();
  void AskAboutCorpora();
  void AskAboutMidcoders();
  void AskAboutStatistics();
  void AskQuestions(const std::string& snapshot);
  void AskAboutFactorizations();
  void AskAboutDirections();
  void AskAboutJobs();

  const TestFolder folder_;
  std::set<std::string> asked_;

 private:
  std::unique_ptr<TinyServer> server_;
};

void JsonOfVerbsTest::AskAboutModels() {
  Try({"info"});
  Try({"models"});
  Try({"activations"}, {"--tokens", "1,2", "--transcoder", kTranscoder});
  Try({"next"}, {"--tokens", "1,2", "--model", "tiny"});
  Try({"intervene"}, {"--tokens", "1,2", "--model", "tiny", "--set", "1:17=5.0"});
  Try({"tensor"}, {kTranscoder, "b_enc", "-o", folder_.File("b_enc.npy")});
  Try({"load", "transcoder"}, {"tiny_transcoder_dunefsky.pt", "--layer", "1", "--id", "second", "--model", "tiny"});
  Try({"unload"}, {"models/tiny/transcoders/second"});
  Try({"load", "model"}, {"again", "model"});
}

void JsonOfVerbsTest::AskAboutCorpora() {
  const std::string text = folder_.Write("a.jsonl", "{\"text\": \"One cat sat.\"}\n");
  Try({"corpora", "upload"}, {text, "--name", "mine", "--model", "demo"});
  Try({"corpora"});
  Try({"corpora", "delete"}, {"mine"});
  Try({"tokenize"}, {text, "--out", folder_.File("a.npy"), "--model", "demo"});
}

void JsonOfVerbsTest::AskAboutMidcoders() {
  const json job =
      Ask({"train"}, {"--transcoder", kTranscoder, "--corpus", "rows", "--steps", "2", "--batch-size", "4"});
  const std::string trained = job["trained_midcoders"]["midcoders"][0];
  Try({"midcoders"});
  Try({"midcoders", "show"}, {trained});
  Try({"history"}, {trained});
  Try({"evaluate"}, {trained, "--tokens", "200"});
  Try({"midcoders", "export"}, {trained, folder_.File("m.safetensors")});
  Try({"midcoders", "delete"}, {trained});
  const json imported =
      Ask({"midcoders", "import"}, {SUPERPOSE_TEST_DATA "/midcoder/with_statistics.pt", "--transcoder", kTranscoder});
  const std::string snapshot = imported["snapshots"][0];
  Try({"snapshots"});
  Try({"snapshots", "show"}, {snapshot});
  Try({"snapshots", "delete"}, {snapshot});
}

void JsonOfVerbsTest::AskQuestions(const std::string& snapshot) {
  Try({"analyze", "frequencies"}, {snapshot});
  Try({"analyze", "act-gate"}, {snapshot});
  Try({"analyze", "pairs"}, {snapshot, "--features", "17,18"});
  Try({"analyze", "coactive"}, {snapshot, "--feature", "17"});
  Try({"analyze", "pre-activations"}, {snapshot, "--units", "3,5"});
  Try({"analyze", "products"}, {snapshot, "--most", "1000"});
  Try({"analyze", "predicted-decoders"}, {snapshot});
  Try({"analyze", "similarities"}, {snapshot});
  Try({"analyze", "neighbors"}, {snapshot, "--feature", "17"});
  Try({"analyze", "units"}, {snapshot, "--unit", "5"});
  Try({"analyze", "noise"}, {snapshot});
}

void JsonOfVerbsTest::AskAboutStatistics() {
  const json trained = Ask({"train"}, {"--transcoder", kTranscoder, "--corpus", "rows", "--steps", "2"});
  const json job = Ask({"collect"}, {"--midcoder", trained["trained_midcoders"]["midcoders"][0], "--tokens", "512",
                                     "--batch-size", "8"});
  const std::string snapshot = job["collected_snapshots"]["snapshots"][0];
  const json next = Ask({"collect"}, {"--midcoder", trained["trained_midcoders"]["midcoders"][0], "--tokens", "512",
                                      "--batch-size", "8", "--first-sequence", "16"});
  Try({"snapshots", "take"}, {job["name"]});
  Try({"snapshots", "compare"}, {snapshot, next["collected_snapshots"]["snapshots"][0]});
  Try({"snapshots", "merge"}, {snapshot, next["collected_snapshots"]["snapshots"][0]});
  AskQuestions(snapshot);
}

void JsonOfVerbsTest::AskAboutFactorizations() {
  const json job =
      Ask({"factorize"}, {kTranscoder, "--top", "40", "--factors", "8", "--epochs", "2", "--batch-size", "16"});
  const std::string made = job["factorization"]["factorization"];
  Try({"factorizations"});
  Try({"factorizations", "show"}, {made});
  Try({"explain"}, {made, "--factor", "3"});
  Try({"factorizations", "export"}, {made, folder_.File("f.safetensors")});
  const json imported = Ask({"factorizations", "import"}, {folder_.File("f.safetensors")});
  Try({"factorizations", "delete"}, {imported["name"]});
}

void JsonOfVerbsTest::AskAboutDirections() {
  Try({"spectrum"}, {kTranscoder, "--features", "0:40"});
  Try({"whiten"}, {kTranscoder, "--features", "0:40"});
  Try({"gram"}, {kTranscoder, "--features", "0:40"});
}

void JsonOfVerbsTest::AskAboutJobs() {
  const json job = Ask({"train"}, {"--transcoder", kTranscoder, "--corpus", "rows", "--detach"});
  const std::string name = job["name"];
  Try({"jobs"});
  Try({"job"}, {name});
  Try({"cancel"}, {name});
  const json short_job = Ask({"train"}, {"--transcoder", kTranscoder, "--corpus", "rows", "--steps", "2", "--detach"});
  Try({"watch"}, {short_job["name"]});
  Try({"delete"}, {short_job["name"]});
}

TEST_F(JsonOfVerbsTest, EveryVerbPrintsJson) {
  AskAboutModels();
  AskAboutCorpora();
  AskAboutMidcoders();
  AskAboutStatistics();
  AskAboutFactorizations();
  AskAboutDirections();
  AskAboutJobs();
  std::set<std::string> all;
  for (const std::vector<std::string>& verb : AllVerbs()) all.insert(absl::StrJoin(verb, " "));
  // These do nothing but hold others.
  EXPECT_EQ(all.erase("load"), 1);
  EXPECT_EQ(all.erase("analyze"), 1);
  EXPECT_EQ(asked_, all);
}

}  // namespace
}  // namespace superpose::cli
