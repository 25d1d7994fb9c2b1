// A job that makes several midcoders, killed while it stores them.
#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/jobs/sweep.h"
#include "tests/server/jobs/manager_rig.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::SizeIs;

constexpr char kFirst[] = "models/tiny/transcoders/layer1";
constexpr char kSecond[] = "models/tiny/transcoders/layer2";

// With the tiny model's transcoder on two layers.
std::unique_ptr<ModelRegistry> LoadTwoLayers() {
  auto registry = LoadTinyRegistry();
  if (registry == nullptr) return nullptr;
  const auto model = registry->FindModel("models/tiny");
  const auto first = registry->FindTranscoder(kFirst);
  EXPECT_OK(model);
  EXPECT_OK(first);
  auto second = std::make_shared<LoadedTranscoder>(**first);
  second->name = kSecond;
  second->layer = 2;
  EXPECT_OK(registry->AddTranscoder(**model, second, /*replace=*/false));
  return registry;
}

v1::Job TwoLayers(const ModelRegistry& registry) {
  v1::MidcoderTrainingSpec spec;
  spec.add_transcoders(kFirst);
  spec.add_transcoders(kSecond);
  spec.set_corpus("corpora/rows");
  spec.set_steps(3);
  spec.set_batch_size(8);
  v1::Job job;
  auto resolved = ResolveTrainingSpec(registry, std::move(spec));
  EXPECT_OK(resolved);
  if (resolved.ok()) *job.mutable_train_midcoder() = *std::move(resolved);
  job.set_owner("ada");
  return job;
}

// Calls `body` whenever the work asks whether to write on what it made.
class WatchedFinish final : public JobWork {
 public:
  WatchedFinish(std::unique_ptr<JobWork> work, std::function<void()> body)
      : work_(std::move(work)), body_(std::move(body)) {}

  absl::StatusOr<bool> RunSlice(const Budget& budget) override { return work_->RunSlice(budget); }
  bool AtBoundary() const override { return work_->AtBoundary(); }
  WorkReport Report() const override { return work_->Report(); }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override {
    return work_->WriteCheckpoint(keep_writing);
  }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override {
    return work_->Finish([&] {
      body_();
      return keep_writing();
    });
  }

 private:
  const std::unique_ptr<JobWork> work_;
  const std::function<void()> body_;
};

class JobLayersTest : public testing::Test {
 protected:
  void SetUp() override {
    registry_ = LoadTwoLayers();
    ASSERT_NE(registry_, nullptr);
  }

  // Runs a job of two layers to its end, and leaves in `left_` what a server that is killed between its two midcoders
  // leaves: the first stored, the second half written. The job as it ended.
  v1::Job RunAndCopyBetween() {
    DurableJobManager::Options options;
    options.make_work = [this](const v1::Job& job, const JobParts& parts) -> absl::StatusOr<std::unique_ptr<JobWork>> {
      auto work = MakeJobWork(job, parts);
      if (!work.ok()) return work;
      const auto copy = [this, midcoders = parts.midcoders] {
        if (fs::exists(left_) || midcoders->List(10, "")->items.size() != 1) return;
        fs::copy(whole_, left_, fs::copy_options::recursive);
      };
      return std::make_unique<WatchedFinish>(*std::move(work), copy);
    };
    ManagerRig rig(whole_, options, nullptr, registry_.get());
    v1::Job job = rig.WaitForEnd(rig.Submit(TwoLayers(*registry_)).name());
    EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
    for (const v1::Midcoder& midcoder : MidcodersOf(rig)) hashes_.push_back(midcoder.content_hash());
    return job;
  }
  // As the server does before it takes jobs up.
  void SweepWhatWasLeft() {
    ASSERT_OK_AND_ASSIGN(const auto folder, DataFolder::Open(left_));
    ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder->database_path()));
    ASSERT_OK(Sweep(*folder, database.get()));
  }
  // Newest first.
  static std::vector<v1::Midcoder> MidcodersOf(ManagerRig& rig) {
    const auto page = rig.midcoders().List(10, "");
    EXPECT_OK(page);
    return page.ok() ? page->items : std::vector<v1::Midcoder>();
  }
  // Names of resources: "midcoders/x".
  std::set<std::string> MidcoderFolders() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(left_ + "/midcoders"))
      names.insert("midcoders/" + entry.path().filename().string());
    return names;
  }

  TemporaryFolder parent_;
  const std::string whole_ = parent_ / "whole";
  const std::string left_ = parent_ / "left";
  std::unique_ptr<ModelRegistry> registry_;
  std::vector<std::string> hashes_;  // of what the job that nobody killed made, newest first
};

TEST_F(JobLayersTest, AJobKilledBetweenTwoMidcodersEndsWithOneForEachLayer) {
  const v1::Job whole = RunAndCopyBetween();
  ASSERT_THAT(hashes_, SizeIs(2));
  ASSERT_TRUE(fs::exists(left_));
  EXPECT_THAT(MidcoderFolders(), SizeIs(2)) << "the second is half written";
  SweepWhatWasLeft();
  EXPECT_THAT(MidcoderFolders(), ElementsAre(whole.trained_midcoders().midcoders(0)));

  ManagerRig rig(left_, {}, nullptr, registry_.get());
  const v1::Job job = rig.WaitForEnd(whole.name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.attempt(), 2);
  ASSERT_THAT(job.trained_midcoders().midcoders(), SizeIs(2));
  EXPECT_EQ(job.trained_midcoders().midcoders(0), whole.trained_midcoders().midcoders(0)) << "stored before the crash";
  const std::vector<v1::Midcoder> midcoders = MidcodersOf(rig);
  ASSERT_THAT(midcoders, SizeIs(2));
  EXPECT_EQ(midcoders[0].layer(), 2);
  EXPECT_EQ(midcoders[1].layer(), 1);
  EXPECT_THAT(MidcoderFolders(), ElementsAre(std::min(midcoders[0].name(), midcoders[1].name()),
                                             std::max(midcoders[0].name(), midcoders[1].name())));
  for (size_t i = 0; i < midcoders.size(); ++i) {
    EXPECT_EQ(midcoders[i].content_hash(), hashes_[i]);
    EXPECT_OK(rig.midcoders().Open(midcoders[i].name()));
    ASSERT_OK_AND_ASSIGN(const HistoryPage page, rig.midcoders().History(midcoders[i].name(), 100, ""));
    EXPECT_EQ(page.history.step_size(), 3);
  }
}

}  // namespace
}  // namespace superpose
