#include <nlohmann/json.hpp>

#include "absl/strings/substitute.h"
#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// The tiny server, which may load from the golden files, with little memory.
class LoadingVerbsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = TinyServer::Start(
        absl::Substitute("memory_limit_bytes: 8000000 model_root: \"$0/golden\"", SUPERPOSE_TEST_DATA));
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  Outcome Ask(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--server", server_->address(), "--user", "ada"});
    return RunProgram(arguments);
  }

 private:
  std::unique_ptr<TinyServer> server_;
};

TEST_F(LoadingVerbsTest, ATranscoderIsLoadedAndUnloaded) {
  const Outcome loaded = Ask({"load", "transcoder", "tiny_transcoder_dunefsky.pt", "--layer", "1", "--id", "second"});
  ASSERT_EQ(loaded.code, 0) << loaded.err;
  EXPECT_THAT(loaded.out, HasSubstr("models/tiny/transcoders/second, "));
  EXPECT_THAT(Ask({"models"}).out, HasSubstr("transcoders/second"));
  const Outcome unloaded = Ask({"unload", "models/tiny/transcoders/second"});
  EXPECT_EQ(unloaded.code, 0) << unloaded.err;
  EXPECT_EQ(unloaded.out, "unloaded models/tiny/transcoders/second\n");
  EXPECT_EQ(Ask({"unload", "models/tiny/transcoders/second"}).code, 3) << "not found";
}

TEST_F(LoadingVerbsTest, ATranscoderIsReplacedOnlyWhenAsked) {
  const std::vector<std::string> load = {"load", "transcoder", "tiny_transcoder_dunefsky.pt", "--layer", "1"};
  const Outcome refused = Ask(load);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("RESOURCE_EXISTS"));
  std::vector<std::string> replace = load;
  replace.emplace_back("--replace");
  EXPECT_EQ(Ask(replace).code, 0);
}

TEST_F(LoadingVerbsTest, AModelIsUnloadedAndLoadedUnderAnotherName) {
  EXPECT_EQ(Ask({"unload", "tiny"}).code, 0) << "its short name will do";
  const Outcome loaded = Ask({"load", "model", "small", "model", "--json"});
  ASSERT_EQ(loaded.code, 0) << loaded.err;
  EXPECT_EQ(json::parse(loaded.out)["name"], "models/small");
}

TEST_F(LoadingVerbsTest, AnEstimateIsShownAndNothingIsSubmitted) {
  const Outcome fits = Ask({"train", "--layer", "1", "--corpus", "rows", "--batch-size", "8", "--estimate"});
  ASSERT_EQ(fits.code, 0) << fits.err;
  EXPECT_THAT(fits.out, HasSubstr("peak while it runs"));
  const Outcome large = Ask({"train", "--layer", "1", "--corpus", "rows", "--batch-size", "9999", "--estimate"});
  EXPECT_THAT(large.out, HasSubstr("It does not fit now: batch_size "));
  const Outcome as_json = Ask({"train", "--layer", "1", "--corpus", "rows", "--estimate", "--json"});
  EXPECT_GT(std::stoll(json::parse(as_json.out)["peak_bytes"].get<std::string>()), 0);
  EXPECT_EQ(json::parse(Ask({"jobs", "--json"}).out).value("jobs", json::array()).size(), 0U);
}

TEST_F(LoadingVerbsTest, InfoTellsTheMemory) {
  EXPECT_THAT(Ask({"info"}).out, HasSubstr("of 7.6 MiB held or promised"));
}

TEST_F(LoadingVerbsTest, LoadAsksForWhat) {
  EXPECT_EQ(Ask({"load"}).code, 2);
  EXPECT_EQ(Ask({"load", "transcoder", "x.pt"}).code, 2) << "which layer";
}

}  // namespace
}  // namespace superpose::cli
