#include "server/corpora/corpus_store.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/sha256.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

auto IsTaken() { return IsError(absl::StatusCode::kAlreadyExists, reason::kResourceExists); }
auto IsAbsent() { return IsError(absl::StatusCode::kNotFound, reason::kCorpusNotFound); }

// Bytes of a .bin file: ids below 256, each in two bytes.
std::string Ids(const std::string& letters) {
  std::string bytes;
  for (const char letter : letters) bytes += {letter, '\0'};
  return bytes;
}

// The same ids in four bytes each.
std::string WideIds(const std::string& letters) {
  std::string bytes;
  for (const char letter : letters) bytes += {letter, '\0', '\0', '\0'};
  return bytes;
}

// While it lives, no file can be written to; files can be made, named and removed.
class WithoutWriting {
 public:
  WithoutWriting() : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit nothing = {.rlim_cur = 0, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &nothing), 0);
  }
  ~WithoutWriting() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, handler_);
  }
  WithoutWriting(const WithoutWriting&) = delete;
  WithoutWriting& operator=(const WithoutWriting&) = delete;

 private:
  rlimit before_{};
  void (*const handler_)(int);
};

class CorpusStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(uploads_, UploadStore::Open(folder_.get(), 1 << 20, &clock_));
    StartAgain();
  }
  void StartAgain() {
    store_.reset();
    registry_ = LoadTinyRegistry();
    ASSERT_NE(registry_, nullptr);
    ASSERT_OK_AND_ASSIGN(store_, CorpusStore::Open(folder_.get(), uploads_.get(), registry_.get(), &clock_));
  }
  std::string Upload(const std::string& content) {
    std::string name = "uploads/" + Sha256Hex(content);
    if (uploads_->PathOf(name).ok()) return name;
    auto writer = uploads_->Write(name, static_cast<int64_t>(content.size()), 0);
    EXPECT_OK(writer);
    if (!writer.ok()) return name;
    EXPECT_OK((*writer)->CatchUp());
    EXPECT_OK((*writer)->Append(0, content));
    return name;
  }
  static NewCorpus Wanted(const std::string& id, std::vector<std::string> uploads) {
    NewCorpus wanted;
    wanted.id = id;
    wanted.model = "models/-";
    wanted.uploads = std::move(uploads);
    wanted.format = ".bin";
    wanted.owner = "ada";
    return wanted;
  }
  absl::StatusOr<CorpusHandle> Create(const std::string& id, std::vector<std::string> uploads) {
    return store_->Create(Wanted(id, std::move(uploads)));
  }
  std::string FileOf(const std::string& name) const { return parent_ / ("data/corpora/" + name); }

  TemporaryFolder parent_;
  FakeClock clock_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<UploadStore> uploads_;
  std::unique_ptr<ModelRegistry> registry_;
  std::unique_ptr<CorpusStore> store_;
};

TEST_F(CorpusStoreTest, UploadsBecomeACorpusThatIsFoundByItsName) {
  const std::string first = Upload(Ids("abcd")), second = Upload(Ids("ef"));
  ASSERT_OK_AND_ASSIGN(const CorpusHandle corpus, Create("mine", {first, second}));
  EXPECT_EQ(corpus->name, "corpora/mine");
  EXPECT_EQ(corpus->model, "models/tiny");
  EXPECT_EQ(corpus->owner, "ada");
  EXPECT_TRUE(corpus->uploaded);
  EXPECT_EQ(corpus->create_time, clock_.Now());
  EXPECT_EQ(corpus->corpus->tokens(), 6);
  EXPECT_EQ(corpus->corpus->files(), 2);
  EXPECT_EQ(*registry_->FindCorpus("corpora/mine"), corpus);
  EXPECT_EQ(FileContent(FileOf("mine/00000.bin")), Ids("abcd"));
  EXPECT_EQ(FileContent(FileOf("mine/00001.bin")), Ids("ef"));
  EXPECT_EQ(ReasonOf(uploads_->Get(first).status()), reason::kUploadNotFound) << "the corpus owns the file";
}

TEST_F(CorpusStoreTest, ACorpusIsThereAgainAfterARestart) {
  ASSERT_OK_AND_ASSIGN(const CorpusHandle before, Create("mine", {Upload(Ids("abcd"))}));
  clock_.Advance(absl::Hours(1));
  StartAgain();
  ASSERT_OK_AND_ASSIGN(const CorpusHandle after, registry_->FindCorpus("corpora/mine"));
  EXPECT_EQ(after->corpus->content_hash(), before->corpus->content_hash());
  EXPECT_EQ(after->owner, "ada");
  EXPECT_EQ(after->create_time, before->create_time);
  EXPECT_TRUE(after->uploaded);
}

TEST_F(CorpusStoreTest, TheSameAgainIsTheSameCorpusAlsoOnceItsUploadsAreGone) {
  const std::string upload = Upload(Ids("abcd"));
  ASSERT_OK_AND_ASSIGN(const CorpusHandle first, Create("mine", {upload}));
  EXPECT_EQ(*Create("mine", {upload}), first);
  StartAgain();
  EXPECT_EQ((*Create("mine", {upload}))->corpus->content_hash(), first->corpus->content_hash());
}

TEST_F(CorpusStoreTest, TheSameContentInOtherFilesIsNoError) {
  ASSERT_OK_AND_ASSIGN(const CorpusHandle first, Create("mine", {Upload(Ids("abcd"))}));
  EXPECT_EQ(*Create("mine", {Upload(Ids("ab")), Upload(Ids("cd"))}), first);
}

TEST_F(CorpusStoreTest, OtherContentUnderATakenNameIsRefused) {
  ASSERT_OK(Create("mine", {Upload(Ids("abcd"))}));
  const std::string other = Upload(Ids("efgh"));
  EXPECT_THAT(Create("mine", {other}), IsTaken());
  EXPECT_OK(uploads_->PathOf(other)) << "the upload is there for another name";
  EXPECT_THAT(Create("rows", {other}), IsTaken()) << "a corpus of the config file";
  EXPECT_OK(Create("other", {other}));
}

TEST_F(CorpusStoreTest, TheSameFileTwiceIsReadTwice) {
  const std::string twice = Upload(Ids("ab")), once = Upload(Ids("cd"));
  ASSERT_OK_AND_ASSIGN(const CorpusHandle corpus, Create("mine", {twice, once, twice}));
  ASSERT_OK_AND_ASSIGN(const CorpusHandle written_out, Create("other", {Upload(Ids("abcdab"))}));
  EXPECT_EQ(corpus->corpus->content_hash(), written_out->corpus->content_hash());
  EXPECT_EQ(corpus->corpus->files(), 3);
  StartAgain();
  EXPECT_EQ((*registry_->FindCorpus("corpora/mine"))->corpus->tokens(), 6);
}

TEST_F(CorpusStoreTest, TokensOfFourBytesAreReadAsSuchAlsoAfterARestart) {
  const std::string letters = "abcdefghijklmnop";
  NewCorpus wanted = Wanted("wide", {Upload(WideIds(letters))});
  EXPECT_THAT(store_->Create(wanted), IsError(kInvalid, reason::kConfigInvalid)) << "it looks like 32 bits";
  wanted.token_dtype = "uint32";
  ASSERT_OK_AND_ASSIGN(const CorpusHandle wide, store_->Create(wanted));
  EXPECT_EQ(wide->corpus->tokens(), 16);
  ASSERT_OK_AND_ASSIGN(const CorpusHandle narrow, Create("narrow", {Upload(Ids(letters))}));
  EXPECT_EQ(wide->corpus->content_hash(), narrow->corpus->content_hash());
  StartAgain();
  ASSERT_OK_AND_ASSIGN(const CorpusHandle after, registry_->FindCorpus("corpora/wide"));
  EXPECT_EQ(after->corpus->content_hash(), wide->corpus->content_hash());
  EXPECT_EQ(*store_->Create(wanted), after) << "the same again";
  wanted.token_dtype = "uint16";
  Upload(WideIds(letters));
  EXPECT_THAT(store_->Create(wanted), IsTaken()) << "the same file, read in another way";
}

TEST_F(CorpusStoreTest, ATypeOfTokensIsForBinFilesAndOneOfTwo) {
  NewCorpus wanted = Wanted("mine", {Upload(Ids("abcd"))});
  wanted.token_dtype = "int32";
  EXPECT_THAT(store_->Create(wanted), IsError(kInvalid, reason::kConfigInvalid));
  wanted.token_dtype = "uint16";
  wanted.format = ".npy";
  EXPECT_THAT(store_->Create(wanted), IsError(kInvalid, reason::kConfigInvalid));
  wanted.format = ".bin";
  EXPECT_OK(store_->Create(wanted));
}

TEST_F(CorpusStoreTest, WithoutANameTheContentNamesIt) {
  ASSERT_OK_AND_ASSIGN(const CorpusHandle corpus, Create("", {Upload(Ids("abcd"))}));
  EXPECT_EQ(corpus->name, "corpora/" + corpus->corpus->content_hash().substr(0, 12));
  EXPECT_EQ(*Create("", {Upload(Ids("abcd"))}), corpus);
}

TEST_F(CorpusStoreTest, NamesThatLeadElsewhereAreRefused) {
  const std::string upload = Upload(Ids("abcd"));
  for (const char* id : {"..", ".", ".hidden", "-", "_x", "a/b", "../x", "A", "a b", "a\n", "corpora/x"}) {
    EXPECT_THAT(Create(id, {upload}), IsError(kInvalid, reason::kNameInvalid)) << id;
  }
  EXPECT_THAT(Create(std::string(200, 'a'), {upload}), IsError(kInvalid, reason::kNameInvalid));
  EXPECT_THAT(store_->Delete("corpora/.."), testing::Not(IsOk()));
  EXPECT_THAT(store_->Delete("rows"), IsError(kInvalid, reason::kNameInvalid));
  EXPECT_TRUE(fs::exists(parent_ / "data/LOCK"));
}

TEST_F(CorpusStoreTest, WhatIsWrongWithARequestIsSaidAndNothingIsMade) {
  const std::string upload = Upload(Ids("abcd"));
  EXPECT_THAT(Create("mine", {}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(Create("mine", {"uploads/" + Sha256Hex("never sent")}),
              IsError(absl::StatusCode::kNotFound, reason::kUploadNotFound));
  EXPECT_THAT(Create("mine", {"uploads/../superpose.db"}), IsError(kInvalid, reason::kNameInvalid));
  NewCorpus wanted = Wanted("mine", {upload});
  wanted.model = "models/other";
  EXPECT_THAT(store_->Create(wanted), IsError(absl::StatusCode::kNotFound, reason::kModelNotFound));
  for (const char* format : {"", "bin", ".csv", "./../x.bin"}) {
    wanted = Wanted("mine", {upload});
    wanted.format = format;
    EXPECT_THAT(store_->Create(wanted), IsError(kInvalid, reason::kConfigInvalid)) << format;
  }
  wanted.format = ".txt";
  EXPECT_THAT(store_->Create(wanted), IsError(kPrecondition, reason::kTokenizerMissing));
  EXPECT_TRUE(fs::is_empty(parent_ / "data/corpora"));
  EXPECT_OK(uploads_->PathOf(upload));
}

TEST_F(CorpusStoreTest, FilesThatHoldNoCorpusAreRefusedAndTheUploadsStay) {
  const std::string odd = Upload("abc"), high = Upload("\xFF\xFF");
  EXPECT_THAT(Create("mine", {odd}), IsError(kInvalid, reason::kFileCorrupt));
  EXPECT_THAT(Create("mine", {high}), IsError(kInvalid, reason::kTokenOutOfRange));
  EXPECT_THAT(Create("mine", {Upload("")}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(registry_->FindCorpus("corpora/mine"), IsAbsent());
  EXPECT_OK(uploads_->PathOf(odd));
}

TEST_F(CorpusStoreTest, ADeletedCorpusIsGoneWithItsFilesAndWhoHoldsItKeepsIt) {
  ASSERT_OK_AND_ASSIGN(const CorpusHandle held, Create("mine", {Upload(Ids("abcd"))}));
  ASSERT_OK(store_->Delete("corpora/mine"));
  EXPECT_THAT(registry_->FindCorpus("corpora/mine"), IsAbsent());
  EXPECT_FALSE(fs::exists(FileOf("mine")));
  EXPECT_THAT(store_->Delete("corpora/mine"), IsAbsent());
  ASSERT_OK_AND_ASSIGN(const auto sequences, held->corpus->Sequences(3, CorpusSplit::kAll));
  EXPECT_EQ(sequences->Gather({1}).size(1), 3) << "mapped files outlive their names";
  EXPECT_OK(Create("mine", {Upload(Ids("efgh"))}));
}

TEST_F(CorpusStoreTest, ACorpusOfTheConfigFileCannotBeDeleted) {
  const absl::Status status = store_->Delete("corpora/rows");
  EXPECT_THAT(status, IsError(kPrecondition, reason::kResourceInUse));
  EXPECT_THAT(status, MessageHas("config"));
  EXPECT_OK(registry_->FindCorpus("corpora/rows"));
}

TEST_F(CorpusStoreTest, HalfMadeCorporaGoAtTheStart) {
  ASSERT_OK(Create("mine", {Upload(Ids("abcd"))}));
  WriteFile(FileOf("half/00000.bin"), Ids("ab"));
  WriteFile(FileOf("half/corpus.json.1.2.tmp"), "{}");
  WriteFile(FileOf("README"), "somebody's notes");
  StartAgain();
  EXPECT_FALSE(fs::exists(FileOf("half")));
  EXPECT_EQ(FileContent(FileOf("README")), "somebody's notes");
  EXPECT_OK(registry_->FindCorpus("corpora/mine"));
}

// Of files that took hours to send.
TEST_F(CorpusStoreTest, ACorpusThatCannotBeKeptCostsNoUpload) {
  const std::string first = Upload(Ids("abcd")), second = Upload(Ids("ef"));
  {
    const WithoutWriting disk;
    EXPECT_THAT(Create("mine", {first, second}), IsError(kPrecondition, reason::kFileWriteFailed));
  }
  EXPECT_FALSE(fs::exists(FileOf("mine")));
  EXPECT_OK(Create("mine", {first, second}));
}

TEST_F(CorpusStoreTest, ACrashBeforeACorpusIsWholeCostsNoUpload) {
  const std::string upload = Upload(Ids("abcd"));
  fs::create_directory(FileOf("mine"));
  ASSERT_OK(uploads_->LinkTo(upload, FileOf("mine/00000.bin")));
  StartAgain();
  EXPECT_FALSE(fs::exists(FileOf("mine")));
  EXPECT_OK(Create("mine", {upload}));
}

TEST_F(CorpusStoreTest, WhatDoesNotLoadAnyMoreIsLeftAloneAndCanBeDeleted) {
  const std::string upload = Upload(Ids("abcd"));
  ASSERT_OK(Create("mine", {upload}));
  WriteFile(FileOf("mine/00000.bin"), "\xFF\xFF");
  WriteFile(FileOf("odd/corpus.json"), "not JSON");
  StartAgain();
  EXPECT_THAT(registry_->FindCorpus("corpora/mine"), IsAbsent());
  EXPECT_TRUE(fs::exists(FileOf("mine/00000.bin")));
  EXPECT_TRUE(fs::exists(FileOf("odd/corpus.json")));
  EXPECT_THAT(Create("mine", {Upload(Ids("xy"))}), IsTaken());
  EXPECT_THAT(Create("odd", {Upload(Ids("xy"))}), IsTaken());
  ASSERT_OK(store_->Delete("corpora/mine"));
  ASSERT_OK(store_->Delete("corpora/odd"));
  EXPECT_OK(Create("mine", {Upload(Ids("xy"))}));
}

}  // namespace
}  // namespace superpose
