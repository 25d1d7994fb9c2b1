#include "server/jobs/snapshot_store.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "lib/base/error.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class SnapshotStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
    store_.emplace(folder_.get(), database_.get());
  }
  static v1::Snapshot Of(const std::string& job, const std::string& transcoder, int64_t tokens) {
    v1::Snapshot snapshot;
    snapshot.set_job(job);
    snapshot.mutable_provenance()->set_transcoder(transcoder);
    snapshot.set_tokens(tokens);
    return snapshot;
  }
  static TensorMap Counts(int64_t tokens) { return {{"counts", at::full({1}, tokens, at::kLong)}}; }
  v1::Snapshot AddAt(const v1::Snapshot& snapshot, const std::string& moment) {
    auto added = store_->AddAtMoment(snapshot, moment, Counts(snapshot.tokens()), absl::UnixEpoch());
    EXPECT_OK(added);
    return added.ok() ? *added : v1::Snapshot();
  }
  std::vector<std::string> NamesOf(const std::string& job) {
    std::vector<std::string> names;
    const auto page = store_->List(100, "", "", job);
    EXPECT_OK(page);
    for (const v1::Snapshot& snapshot : page->items) names.push_back(snapshot.name());
    return names;
  }

  TemporaryFolder parent_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::optional<SnapshotStore> store_;
};

TEST_F(SnapshotStoreTest, AMomentComesOnceForEachJobAndTranscoder) {
  const v1::Snapshot first = AddAt(Of("jobs/a", "one", 5), SnapshotStore::kAtEnd);
  EXPECT_EQ(AddAt(Of("jobs/a", "one", 5), SnapshotStore::kAtEnd).name(), first.name());
  EXPECT_NE(AddAt(Of("jobs/a", "two", 5), SnapshotStore::kAtEnd).name(), first.name());
  EXPECT_NE(AddAt(Of("jobs/b", "one", 5), SnapshotStore::kAtEnd).name(), first.name());
  EXPECT_NE(AddAt(Of("jobs/a", "one", 5), "5 tokens").name(), first.name());
  EXPECT_THAT(NamesOf("jobs/a"), SizeIs(3));
}

TEST_F(SnapshotStoreTest, WithoutAMomentEveryOneIsNew) {
  ASSERT_OK(store_->Add(Of("jobs/a", "one", 5), Counts(5), absl::UnixEpoch()));
  ASSERT_OK(store_->Add(Of("jobs/a", "one", 5), Counts(5), absl::UnixEpoch()));
  EXPECT_THAT(NamesOf("jobs/a"), SizeIs(2));
}

TEST_F(SnapshotStoreTest, TheEndOfAJobIsInTheOrderOfItsTranscoders) {
  AddAt(Of("jobs/a", "z", 3), "3 tokens");
  const v1::Snapshot first = AddAt(Of("jobs/a", "z", 5), SnapshotStore::kAtEnd);
  const v1::Snapshot second = AddAt(Of("jobs/a", "a", 5), SnapshotStore::kAtEnd);
  AddAt(Of("jobs/b", "z", 5), SnapshotStore::kAtEnd);
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Snapshot> end, store_->AtEndOf("jobs/a"));
  ASSERT_THAT(end, SizeIs(2));
  EXPECT_EQ(end[0].name(), first.name());
  EXPECT_EQ(end[1].name(), second.name());
  EXPECT_THAT(store_->AtEndOf("jobs/c").value(), IsEmpty());
}

TEST_F(SnapshotStoreTest, TheFurthestAutomaticOnesOfATranscoderAreKept) {
  const auto automatic = [&](const std::string& transcoder, int64_t tokens) {
    v1::Snapshot snapshot = Of("jobs/a", transcoder, tokens);
    snapshot.set_automatic(true);
    return AddAt(snapshot, absl::StrCat(tokens, " tokens")).name();
  };
  const std::string far = automatic("one", 30), near = automatic("one", 10), middle = automatic("one", 20);
  const std::string other = automatic("two", 1);
  const std::string asked_for = AddAt(Of("jobs/a", "one", 5), SnapshotStore::kAtEnd).name();
  ASSERT_OK(store_->DeleteOldAutomatic("jobs/a", "one", 2));
  EXPECT_THAT(NamesOf("jobs/a"), ElementsAre(asked_for, other, middle, far));
  EXPECT_FALSE(std::filesystem::exists(folder_->FolderOf(near)));
  ASSERT_OK(store_->DeleteOldAutomatic("jobs/a", "one", 2)) << "nothing more to do";
  EXPECT_THAT(NamesOf("jobs/a"), SizeIs(4));
}

TEST_F(SnapshotStoreTest, ManyAreGoneThroughPageByPage) {
  for (int64_t tokens = 0; tokens < 120; ++tokens) {
    v1::Snapshot snapshot = Of("jobs/a", "one", tokens);
    snapshot.set_automatic(true);
    AddAt(snapshot, absl::StrCat(tokens, " tokens"));
  }
  ASSERT_OK(store_->DeleteOldAutomatic("jobs/a", "one", 1));
  ASSERT_THAT(NamesOf("jobs/a"), SizeIs(1));
  EXPECT_EQ(store_->Get(NamesOf("jobs/a")[0])->tokens(), 119);
}

TEST_F(SnapshotStoreTest, AreListedByJobOrByMidcoderAndNotByBoth) {
  v1::Snapshot snapshot = Of("jobs/a", "one", 5);
  snapshot.set_midcoder("midcoders/m");
  const std::string name = AddAt(snapshot, SnapshotStore::kAtEnd).name();
  AddAt(Of("jobs/b", "one", 5), SnapshotStore::kAtEnd);
  EXPECT_THAT(NamesOf("jobs/a"), ElementsAre(name));
  EXPECT_THAT(store_->List(10, "", "midcoders/m")->items, SizeIs(1));
  EXPECT_THAT(store_->List(10, "", "")->items, SizeIs(2));
  EXPECT_THAT(store_->List(10, "", "midcoders/m", "jobs/a"),
              IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

TEST_F(SnapshotStoreTest, WhatCannotBeWrittenLeavesNothing) {
  const KeepWriting full = [] { return ResourceExhausted(reason::kStorageFull, "the disk is full"); };
  EXPECT_THAT(store_->Add(Of("jobs/a", "one", 5), Counts(5), absl::UnixEpoch(), full),
              IsError(absl::StatusCode::kResourceExhausted, reason::kStorageFull));
  EXPECT_THAT(NamesOf("jobs/a"), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(parent_ / "data/snapshots"));
}

TEST_F(SnapshotStoreTest, ItsFileSaysWhatItIs) {
  const v1::Snapshot snapshot = AddAt(Of("jobs/a", "one", 5), SnapshotStore::kAtEnd);
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, store_->Open(snapshot.name()));
  EXPECT_EQ(file.metadata().at("format"), "superpose.snapshot");
  EXPECT_THAT(file.metadata().at("snapshot"), testing::HasSubstr(snapshot.name()));
  EXPECT_EQ(file.tensors().at("counts").item<int64_t>(), 5);
}

}  // namespace
}  // namespace superpose
