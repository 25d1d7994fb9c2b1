// Midcoders to files and back, and snapshots, against the real server.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "tests/client/cli/run.h"
#include "tests/client/tiny_server_test.h"
#include "tests/support/test_folder.h"

namespace superpose::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kWithStatistics[] = SUPERPOSE_TEST_DATA "/midcoder/with_statistics.pt";

class MidcoderFileVerbsTest : public TinyServerTest {
 protected:
  static Outcome Ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--server", server().address(), "--user", "ada"});
    return RunProgram(arguments);
  }
  // The names that importing printed: the midcoder's, and the snapshot's.
  static std::vector<std::string> Imported() {
    const Outcome outcome = Ask({"midcoders", "import", kWithStatistics, "--layer", "1"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return absl::StrSplit(outcome.out, '\n', absl::SkipEmpty());
  }

  const TestFolder folder_;
};

TEST_F(MidcoderFileVerbsTest, ImportingPrintsTheNamesOfWhatItMade) {
  const std::vector<std::string> names = Imported();
  ASSERT_THAT(names, SizeIs(2));
  EXPECT_THAT(names[0], StartsWith("midcoders/"));
  EXPECT_THAT(names[1], StartsWith("snapshots/"));
  const Outcome shown = Ask({"midcoders", "show", names[0]});
  EXPECT_THAT(shown.out, HasSubstr("reference .pt"));
  EXPECT_THAT(shown.out, HasSubstr(names[1]));
}

TEST_F(MidcoderFileVerbsTest, AnExportedFileIsImportedAgain) {
  const std::vector<std::string> names = Imported();
  ASSERT_THAT(names, SizeIs(2));
  const std::string path = folder_.File("m.pt");
  const Outcome outcome = Ask({"midcoders", "export", names[0], path, "--snapshot", names[1]});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith(path + ": "));
  const Outcome again = Ask({"midcoders", "import", path, "--transcoder", "models/tiny/transcoders/layer1", "--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(json::parse(again.out)["snapshots"].size(), 1);
}

TEST_F(MidcoderFileVerbsTest, MistakesWithFilesAreExplained) {
  EXPECT_EQ(Ask({"midcoders", "import", folder_.File("none.pt"), "--layer", "1"}).code, 3);
  EXPECT_THAT(Ask({"midcoders", "import", kWithStatistics}).err, HasSubstr("transcoder"));
  EXPECT_EQ(Ask({"midcoders", "export", "none", folder_.File("m.pt")}).code, 3);
  const Outcome ending = Ask({"midcoders", "export", "none", folder_.File("m.bin")});
  EXPECT_EQ(ending.code, 1);
  EXPECT_THAT(ending.err, HasSubstr(".safetensors or .pt"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(MidcoderFileVerbsTest, SnapshotsAreListedShownReadAndDeleted) {
  const std::vector<std::string> names = Imported();
  ASSERT_THAT(names, SizeIs(2));
  EXPECT_THAT(Ask({"snapshots"}).out, HasSubstr(names[1]));
  EXPECT_THAT(Ask({"snapshots", "--midcoder", names[0]}).out, HasSubstr(names[1]));
  EXPECT_THAT(Ask({"snapshots", "--midcoder", "another"}).out, Not(HasSubstr(names[1])));
  EXPECT_THAT(Ask({"snapshots", "show", names[1]}).out, HasSubstr("act_cov_sum"));
  const std::string path = folder_.File("counts.npy");
  EXPECT_EQ(Ask({"tensor", names[1], "counts", "-o", path}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_EQ(Ask({"snapshots", "delete", names[1]}).code, 0);
  EXPECT_EQ(Ask({"snapshots", "show", names[1]}).code, 3);
}

}  // namespace
}  // namespace superpose::cli
