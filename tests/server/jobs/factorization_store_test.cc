#include "server/jobs/factorization_store.h"

#include <ATen/ATen.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <filesystem>

#include "lib/base/error.h"
#include "lib/tensor_io/content_hash.h"
#include "server/jobs/sweep.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
const absl::Time kNow = absl::FromUnixNanos(1'700'000'000'123'456'789);

auto IsNotThere() { return IsError(absl::StatusCode::kNotFound, reason::kFactorizationNotFound); }

v1::Factorization Facts(const std::string& job) {
  v1::Factorization factorization;
  factorization.set_job(job);
  factorization.set_owner("ada");
  factorization.set_layer(2);
  factorization.set_factors(5);
  factorization.set_width(3);
  factorization.mutable_quality()->mutable_fitted()->set_mean_error(0.25);
  factorization.mutable_spec()->set_lr(0);
  return factorization;
}

TensorMap Factors(double value) {
  return {{"factors", at::full({5, 3}, value)}, {"uses", at::arange(5)}, {"code_factors", at::zeros({4, 2}, at::kInt)}};
}

class FactorizationStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
    store_.emplace(folder_.get(), database_.get());
  }
  v1::Factorization Add(const std::string& job = "", double value = 1.5) {
    auto added = store_->Add(Facts(job), Factors(value), kNow);
    EXPECT_OK(added);
    return added.ok() ? *added : v1::Factorization();
  }
  absl::StatusOr<v1::Factorization> Import(const std::string& owner, const ArtifactRequest& request) {
    v1::Factorization facts = Facts("");
    facts.set_owner(owner);
    return store_->AddImported(facts, Factors(2), request, kNow);
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto page = store_->List(100, "");
    EXPECT_OK(page);
    for (const v1::Factorization& one : page->items) names.push_back(one.name());
    return names;
  }
  bool HasNoFolders() const { return fs::is_empty(folder_->FolderOf("factorizations")); }

  TemporaryFolder parent_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::optional<FactorizationStore> store_;
};

TEST_F(FactorizationStoreTest, OneIsKeptWithItsFactsFilledIn) {
  const v1::Factorization added = Add("jobs/a");
  EXPECT_THAT(added.name(), testing::MatchesRegex("factorizations/[a-z0-9]+"));
  EXPECT_EQ(added.content_hash(), ContentHash(Factors(1.5)));
  EXPECT_EQ(added.create_time().seconds(), 1'700'000'000);
  ASSERT_EQ(added.tensors_size(), 3);
  EXPECT_EQ(added.tensors(0).name(), "code_factors");
  EXPECT_EQ(added.tensors(0).data_type(), v1::DATA_TYPE_INT32);
  FactorizationStore reopened(folder_.get(), database_.get());
  ASSERT_OK_AND_ASSIGN(const v1::Factorization kept, reopened.Get(added.name()));
  EXPECT_TRUE(MessageDifferencer::Equals(kept, added)) << kept.DebugString();
}

TEST_F(FactorizationStoreTest, ItsFileAloneSaysWhatItIs) {
  const v1::Factorization added = Add("jobs/a");
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, store_->Open(added.name()));
  EXPECT_EQ(file.metadata().at("format"), "superpose.factorization");
  EXPECT_EQ(file.metadata().at("format_version"), "1");
  v1::Factorization told;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(file.metadata().at("factorization"), &told).ok());
  EXPECT_TRUE(MessageDifferencer::Equals(told, added)) << told.DebugString();
  for (const auto& [name, tensor] : Factors(1.5)) EXPECT_TRUE(at::equal(file.tensors().at(name), tensor)) << name;
  ASSERT_OK_AND_ASSIGN(const auto mapped, store_->OpenFile(added.name()));
  EXPECT_EQ(mapped->size(), fs::file_size(folder_->FolderOf(added.name()) + "/factorization.safetensors"));
}

TEST_F(FactorizationStoreTest, AJobThatComesAgainGetsWhatItHadMade) {
  const v1::Factorization first = Add("jobs/a");
  EXPECT_TRUE(MessageDifferencer::Equals(Add("jobs/a", /*value=*/9), first));
  const std::string other = Add("jobs/b").name();
  EXPECT_THAT(Names(), ElementsAre(other, first.name()));
  EXPECT_NE(Add().name(), Add().name()) << "those of no job are all kept";
}

TEST_F(FactorizationStoreTest, ARequestMakesOneOfItsOwner) {
  const ArtifactRequest request = {.id = "r1", .hash = "h1"};
  EXPECT_EQ(store_->MadeByRequest("ada", request).value(), std::nullopt);
  ASSERT_OK_AND_ASSIGN(const v1::Factorization made, Import("ada", request));
  EXPECT_EQ(store_->MadeByRequest("ada", request).value()->name(), made.name());
  EXPECT_EQ(store_->MadeByRequest("bob", request).value(), std::nullopt);
  EXPECT_EQ(store_->MadeByRequest("ada", {}).value(), std::nullopt);
  EXPECT_THAT(store_->MadeByRequest("ada", {"r1", "h2"}),
              IsError(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused));
  EXPECT_FALSE(Import("ada", request).ok()) << "a second one of the same request cannot be";
  EXPECT_OK(Import("bob", request));
  EXPECT_OK(Import("ada", {}));
  EXPECT_OK(Import("ada", {}));
  EXPECT_EQ(Names().size(), 4);
}

TEST_F(FactorizationStoreTest, WhatCannotBeWrittenLeavesNothing) {
  const KeepWriting full = [] { return ResourceExhausted(reason::kStorageFull, "the disk is full"); };
  EXPECT_THAT(store_->Add(Facts("jobs/a"), Factors(1), kNow, full),
              IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
  EXPECT_THAT(Names(), IsEmpty());
  EXPECT_TRUE(HasNoFolders());
  TensorMap tensors = Factors(1);
  tensors["factors"] = at::zeros({2, 2}, at::kComplexFloat);
  EXPECT_FALSE(store_->Add(Facts("jobs/a"), tensors, kNow).ok());
  EXPECT_TRUE(HasNoFolders());
}

TEST_F(FactorizationStoreTest, OneThatIsDeletedIsGoneButForWhoReadsIt) {
  const std::string name = Add().name(), kept = Add().name();
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, store_->Open(name));
  ASSERT_OK(store_->Delete(name));
  EXPECT_FALSE(fs::exists(folder_->FolderOf(name)));
  EXPECT_TRUE(at::equal(file.tensors().at("factors"), Factors(1.5).at("factors")));
  EXPECT_THAT(store_->Get(name), IsNotThere());
  EXPECT_THAT(store_->Open(name), IsNotThere());
  EXPECT_THAT(store_->OpenFile(name), IsNotThere());
  EXPECT_THAT(store_->Delete(name), IsNotThere());
  EXPECT_THAT(Names(), ElementsAre(kept));
}

TEST_F(FactorizationStoreTest, ANameOfAnotherFormIsRefused) {
  for (const char* name : {"", "factorizations/", "snapshots/a", "factorizations/../jobs", "a"}) {
    EXPECT_THAT(store_->Get(name), IsError(kInvalid, reason::kNameInvalid)) << name;
    EXPECT_THAT(store_->Open(name), IsError(kInvalid, reason::kNameInvalid)) << name;
    EXPECT_THAT(store_->Delete(name), IsError(kInvalid, reason::kNameInvalid)) << name;
  }
}

TEST_F(FactorizationStoreTest, AreListedNewestFirstPageByPage) {
  std::vector<std::string> added;
  for (int i = 0; i < 5; ++i) added.insert(added.begin(), Add().name());
  std::vector<std::string> names;
  std::string token;
  do {
    ASSERT_OK_AND_ASSIGN(const FactorizationPage page, store_->List(2, token));
    for (const v1::Factorization& one : page.items) names.push_back(one.name());
    token = page.next_page_token;
  } while (!token.empty());
  EXPECT_EQ(names, added);
  EXPECT_THAT(store_->List(2, "nonsense"), IsError(kInvalid, reason::kPageTokenInvalid));
}

// Ten of a MiB each are more than a message takes.
TEST_F(FactorizationStoreTest, APageEndsBeforeItIsTooLongForAMessage) {
  v1::Factorization large = Facts("");
  (*large.mutable_labels())["x"] = std::string(1 << 20, 'x');
  for (int i = 0; i < 10; ++i) ASSERT_OK(store_->Add(large, Factors(1), kNow));
  (*large.mutable_labels())["x"] = std::string(4 << 20, 'x');
  ASSERT_OK(store_->Add(large, Factors(1), kNow));
  std::vector<size_t> sizes;
  std::string token;
  do {
    ASSERT_OK_AND_ASSIGN(const FactorizationPage page, store_->List(100, token));
    sizes.push_back(page.items.size());
    token = page.next_page_token;
  } while (!token.empty() && sizes.size() < 20);
  EXPECT_THAT(sizes, ElementsAre(1, 2, 2, 2, 2, 2)) << "one that is too long is a page of its own";
}

TEST_F(FactorizationStoreTest, ASweepKeepsThemAndRemovesHalfOnes) {
  const std::string name = Add().name();
  fs::create_directories(folder_->FolderOf("factorizations/half"));
  WriteFile(folder_->FolderOf("factorizations/half/factorization.safetensors"), "of a server that was killed");
  ASSERT_OK(Sweep(*folder_, database_.get()));
  EXPECT_FALSE(fs::exists(folder_->FolderOf("factorizations/half")));
  EXPECT_OK(store_->Open(name));
}

}  // namespace
}  // namespace superpose
