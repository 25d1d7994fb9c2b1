// A project of a stranger's: the example, built against what `cmake --install` installs.
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ::testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string output;
};

// In a shell; both outputs together.
Ran Shell(const std::string& command) {
  // NOLINTNEXTLINE(bugprone-command-processor): building is what a shell is for; all of it stands in this file.
  FILE* pipe = popen(absl::StrCat("(", command, ") 2>&1").c_str(), "r");
  Ran ran;
  std::array<char, 4096> buffer{};
  while (pipe != nullptr && fgets(buffer.data(), buffer.size(), pipe) != nullptr) ran.output += buffer.data();
  ran.status = pipe == nullptr ? -1 : pclose(pipe);
  return ran;
}

class PackageTest : public TinyServerTest {
 protected:
  static void SetUpTestSuite() {
#ifdef SUPERPOSE_SANITIZED
    GTEST_SKIP() << "the installed libraries need the sanitizer that the example is not built with";
#endif
    TinyServerTest::SetUpTestSuite();
    const std::string prefix = File("prefix"), build = File("build");
    const Ran made =
        Shell(absl::StrCat(SUPERPOSE_CMAKE " --install " SUPERPOSE_BINARY_DIR " --component client --prefix ", prefix,
                           " && ", SUPERPOSE_CMAKE " -G Ninja -S " SUPERPOSE_SOURCE_DIR "/client/cpp/example -B ",
                           build, " -DCMAKE_PREFIX_PATH=", prefix, " && ", SUPERPOSE_CMAKE " --build ", build));
    ASSERT_EQ(made.status, 0) << made.output;
  }
  static Ran Example(const std::string& arguments) {
    return Shell(absl::StrCat(File("build/strongest_features"), " ", arguments));
  }

 private:
  // In the server's folder, which is removed at the end.
  static std::string File(const std::string& name) { return server().folder() / "package" / name; }
};

TEST_F(PackageTest, TheExampleAsksAServer) {
  const Ran ran = Example(absl::StrCat(server().address(), " 3 1 4"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("models/tiny/transcoders/layer1\n3: "));
  ASSERT_OK_AND_ASSIGN(const Activations found,
                       client().GetActivations({.transcoders = {LayerName(kTinyLayer)}, .sequences = {{3, 1, 4}}}));
  const SparseRow first = found.layers[0].activations.Row(0);
  ASSERT_FALSE(first.values.empty());
  const auto strongest = std::max_element(first.values.begin(), first.values.end());
  EXPECT_THAT(ran.output,
              HasSubstr(absl::StrCat("3: feature ", first.feature_ids[strongest - first.values.begin()], " at ")));
}

TEST_F(PackageTest, TheExamplePrintsReasons) {
  const Ran ran = Example(absl::StrCat(server().address(), " 'a text'"));
  EXPECT_EQ(WEXITSTATUS(ran.status), 1) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("[TOKENIZER_MISSING]"));
}

}  // namespace
}  // namespace superpose::client
