#include "server/runtime/load_roots.h"

#include <filesystem>

#include "server/runtime/reasons.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

class LoadRootsTest : public testing::Test {
 protected:
  LoadRootsTest() {
    fs::create_directories(folder_.File("models/gpt2"));
    fs::create_directories(folder_.File("other"));
    fs::create_directories(folder_.File("models-too"));
    folder_.Write("models/gpt2/config.json", "{}");
    folder_.Write("other/secret", "secret");
  }
  LoadRoots Roots() const { return LoadRoots({folder_.File("models")}); }
  // As the system names it, where the temporary folder is a link.
  std::string Canonical(const std::string& path) const { return fs::canonical(folder_.File(path)).string(); }
  void ExpectDenied(const std::string& path) const {
    EXPECT_THAT(Roots().Resolve(path), IsError(kDenied, reason::kPathNotAllowed)) << path;
  }

  TestFolder folder_;
};

TEST_F(LoadRootsTest, AFolderUnderARootMayBeRead) {
  ASSERT_OK_AND_ASSIGN(const std::string path, Roots().Resolve(folder_.File("models/gpt2")));
  EXPECT_EQ(path, Canonical("models/gpt2"));
  EXPECT_OK(Roots().Resolve(folder_.File("models"))) << "the root itself";
}

TEST_F(LoadRootsTest, ARelativePathIsTakenFromTheOnlyRoot) {
  ASSERT_OK_AND_ASSIGN(const std::string path, Roots().Resolve("gpt2/../gpt2"));
  EXPECT_EQ(path, Canonical("models/gpt2"));
  const LoadRoots two({folder_.File("models"), folder_.File("other")});
  EXPECT_THAT(two.Resolve("gpt2"), IsError(kDenied, reason::kPathNotAllowed));
  EXPECT_OK(two.Resolve(folder_.File("other/secret")));
}

TEST_F(LoadRootsTest, NothingElseMayBeRead) {
  ExpectDenied(folder_.File("other/secret"));
  ExpectDenied("../other/secret");
  ExpectDenied("gpt2/../../other/secret");
  ExpectDenied(folder_.File("models/../other"));
  ExpectDenied(folder_.File("models-too"));
  ExpectDenied("/etc/passwd");
  ExpectDenied("/");
}

TEST_F(LoadRootsTest, AFileThatIsNotThereIsRefusedLikeOneThatIs) {
  const auto there = Roots().Resolve(folder_.File("other/secret"));
  const auto not_there = Roots().Resolve(folder_.File("other/nothing"));
  EXPECT_EQ(there.status().code(), not_there.status().code());
  EXPECT_OK(Roots().Resolve("not there yet")) << "under a root the loader says what is wrong";
}

TEST_F(LoadRootsTest, LinksThatLeadOutAreRefused) {
  fs::create_symlink(folder_.File("other"), folder_.File("models/link"));
  ExpectDenied("link");
  ExpectDenied("link/secret");
  fs::create_symlink(folder_.File("other/secret"), folder_.File("models/gpt2/model.safetensors"));
  ExpectDenied("gpt2");
}

TEST_F(LoadRootsTest, LinksThatStayInsideAreFollowed) {
  fs::create_directories(folder_.File("models/blobs"));
  folder_.Write("models/blobs/abc", "weights");
  fs::create_symlink("../blobs/abc", folder_.File("models/gpt2/model.safetensors"));
  EXPECT_OK(Roots().Resolve("gpt2"));
  fs::create_directory_symlink(folder_.File("models/gpt2"), folder_.File("models/small"));
  ASSERT_OK_AND_ASSIGN(const std::string path, Roots().Resolve("small"));
  EXPECT_EQ(path, Canonical("models/gpt2"));
}

TEST_F(LoadRootsTest, LinksInACircleAreRefused) {
  fs::create_symlink(folder_.File("models/b"), folder_.File("models/a"));
  fs::create_symlink(folder_.File("models/a"), folder_.File("models/b"));
  ExpectDenied("a");
}

TEST_F(LoadRootsTest, ARootMayBeALink) {
  fs::create_directory_symlink(folder_.File("models"), folder_.File("root"));
  EXPECT_OK(LoadRoots({folder_.File("root")}).Resolve("gpt2"));
}

TEST_F(LoadRootsTest, ARootThatIsNotThereOpensNothing) {
  EXPECT_THAT(LoadRoots({folder_.File("nowhere")}).Resolve(folder_.File("other/secret")),
              IsError(kDenied, reason::kPathNotAllowed));
}

TEST_F(LoadRootsTest, WithoutRootsTheErrorSaysWhatToConfigure) {
  const auto refused = LoadRoots({}).Resolve(folder_.File("models/gpt2"));
  EXPECT_THAT(refused, IsError(kDenied, reason::kPathNotAllowed));
  EXPECT_THAT(refused, MessageHas("model_root"));
}

TEST_F(LoadRootsTest, APathMustBeOne) {
  EXPECT_THAT(Roots().Resolve(""), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(Roots().Resolve(std::string("gpt2\0/x", 7)),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

}  // namespace
}  // namespace superpose
