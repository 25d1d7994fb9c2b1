#include "server/jobs/merge_work.h"

#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class MergeWorkTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(folder_.path());
  }
  // Of `count` sequences from `first`.
  v1::Snapshot CollectPart(int64_t first, int64_t count,
                           const std::function<void(v1::StatisticsSpec*)>& change = nullptr) {
    return Collect(*rig_, TinyCollection([&](v1::StatisticsSpec* spec) {
      spec->set_first_sequence(first);
      spec->set_tokens(count * 32);
      if (change != nullptr) change(spec);
    }));
  }
  v1::Job Merge(const std::vector<v1::Snapshot>& snapshots) {
    v1::Job job;
    job.set_owner("ada");
    for (const v1::Snapshot& snapshot : snapshots) job.mutable_merge_snapshots()->add_snapshots(snapshot.name());
    (*job.mutable_merge_snapshots()->mutable_labels())["kind"] = "merged";
    return rig_->WaitForEnd(rig_->Submit(job).name());
  }

  TemporaryFolder folder_;
  std::optional<ManagerRig> rig_;
};

TEST_F(MergeWorkTest, PartsMakeTheWhole) {
  const v1::Snapshot first = CollectPart(0, 20), second = CollectPart(20, 24), third = CollectPart(44, 20);
  const v1::Snapshot merged = ResultOf(*rig_, Merge({third, first, second}));
  const TensorMap whole = CollectDirectly(*rig_, TinyCollection()).at(0);
  const TensorMap tensors = TensorsOf(*rig_, merged.name());
  ASSERT_EQ(tensors.size(), whole.size());
  for (const auto& [name, tensor] : whole) {
    ASSERT_EQ(tensors.count(name), 1U) << name;
    EXPECT_EQ(tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    if (tensor.is_floating_point()) {
      EXPECT_LT(RelativeError(tensors.at(name), tensor), 1e-12) << name;
    } else {
      EXPECT_TRUE(at::equal(tensors.at(name), tensor)) << name;
    }
  }
  EXPECT_EQ(merged.tokens(), kAllTokens);
  ASSERT_THAT(merged.sequences(), SizeIs(1));
  EXPECT_EQ(merged.sequences(0).stop(), 64);
  EXPECT_THAT(merged.merged_from(), ElementsAre(third.name(), first.name(), second.name()));
  EXPECT_EQ(merged.labels().at("kind"), "merged");
}

TEST_F(MergeWorkTest, WhatWasMergedCanBeMergedAgain) {
  const v1::Snapshot half = ResultOf(*rig_, Merge({CollectPart(0, 8), CollectPart(16, 8)}));
  ASSERT_THAT(half.sequences(), SizeIs(2));
  const v1::Snapshot all = ResultOf(*rig_, Merge({half, CollectPart(8, 8)}));
  ASSERT_THAT(all.sequences(), SizeIs(1));
  EXPECT_EQ(all.tokens(), 24 * 32);
  EXPECT_EQ(ReasonOfJob(Merge({half, CollectPart(20, 8)})), reason::kSnapshotsOverlap);
}

TEST_F(MergeWorkTest, WhatCannotBeMergedIsSaidBeforeAndWhenItsTurnComes) {
  const v1::Snapshot first = CollectPart(0, 8), overlapping = CollectPart(4, 8);
  const v1::Snapshot without_pairs = CollectPart(
      8, 8, [](v1::StatisticsSpec* spec) { spec->mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES); });
  const auto check = [&](const std::vector<std::string>& names) {
    v1::MergeSpec spec;
    for (const std::string& name : names) spec.add_snapshots(name);
    return SnapshotsToMerge(&rig_->snapshots(), spec).status();
  };
  EXPECT_THAT(check({first.name(), overlapping.name()}), IsError(kPrecondition, reason::kSnapshotsOverlap));
  EXPECT_THAT(check({first.name(), without_pairs.name()}), IsError(kPrecondition, reason::kSnapshotMismatch));
  EXPECT_THAT(check({first.name(), without_pairs.name()}), MessageHas("options.groups"));
  EXPECT_THAT(check({first.name(), "snapshots/gone"}), IsError(absl::StatusCode::kNotFound, reason::kSnapshotNotFound));
  EXPECT_THAT(check({first.name(), "gone"}), IsError(absl::StatusCode::kInvalidArgument, reason::kNameInvalid));
  EXPECT_EQ(ReasonOfJob(Merge({first, overlapping})), reason::kSnapshotsOverlap);
}

TEST_F(MergeWorkTest, OneThatIsDeletedBeforeItsTurnFailsTheJob) {
  const v1::Snapshot first = CollectPart(0, 8), second = CollectPart(8, 8);
  ASSERT_OK(rig_->snapshots().Delete(second.name()));
  EXPECT_EQ(ReasonOfJob(Merge({first, second})), reason::kSnapshotNotFound);
}

TEST_F(MergeWorkTest, ImportedOnesAreRefused) {
  v1::Snapshot imported = CollectPart(0, 8);
  const TensorMap tensors = TensorsOf(*rig_, imported.name());
  imported.clear_sequences();
  imported.clear_job();
  imported.set_imported_from("reference .pt");
  ASSERT_OK_AND_ASSIGN(imported, rig_->snapshots().Add(imported, tensors, absl::UnixEpoch()));
  EXPECT_EQ(ReasonOfJob(Merge({CollectPart(8, 8), imported})), reason::kSnapshotMismatch);
}

}  // namespace
}  // namespace superpose
