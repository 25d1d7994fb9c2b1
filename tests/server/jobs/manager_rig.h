// A job manager with all that it needs, on the tiny golden model and a folder of its own or of another rig.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "google/protobuf/text_format.h"
#include "server/jobs/durable_job_manager.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/runtime/midcoder_specs.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/status_matchers.h"

namespace superpose {

// Goes on by a millisecond whenever it is looked at.
class TickingClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + absl::Milliseconds(++ticks_); }

 private:
  mutable std::atomic<int64_t> ticks_ = 1'700'000'000'000;
};

// [64, 32] int32 token ids below 256 as .npy, no two rows alike.
inline std::string TinyCorpus() {
  constexpr size_t kHeader = 118;
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (64, 32), }";
  header.resize(kHeader - 1, ' ');
  std::string file = absl::StrCat(absl::string_view("\x93NUMPY\x01\x00\x76\x00", 10), header, "\n");
  uint32_t state = 1;
  for (int i = 0; i < 64 * 32; ++i) {
    state = state * 1664525 + 1013904223;
    file += {static_cast<char>(state >> 24), '\0', '\0', '\0'};
  }
  return file;
}

// The tiny model, its transcoder and `corpus`; null when that fails.
inline std::unique_ptr<ModelRegistry> LoadTinyRegistry(const std::string& corpus = TinyCorpus()) {
  const TemporaryFolder folder;
  WriteFile(folder / "rows.npy", corpus);
  constexpr char kConfig[] = R"(device: "cpu" model { name: "tiny" path: "$0/model"
      transcoder { layer: 1 id: "layer1" path: "$0/tiny_transcoder_dunefsky.pt" } }
      corpus { name: "rows" path: "$1" model: "tiny" token_dtype: "uint16" })";
  v1::ServerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::Substitute(kConfig, SUPERPOSE_TEST_DATA "/golden", folder / "rows.npy"), &config));
  auto loaded = ModelRegistry::Load(config);
  EXPECT_OK(loaded);
  return loaded.ok() ? *std::move(loaded) : nullptr;
}

// Loaded once for all tests of a program.
inline const ModelRegistry* TinyRegistry() {
  static const std::unique_ptr<ModelRegistry> registry = LoadTinyRegistry();
  return registry.get();
}

inline v1::Job TinyTraining(int64_t steps, const std::string& owner = "ada") {
  v1::MidcoderTrainingSpec spec;
  spec.add_transcoders("models/tiny/layers/1");
  spec.set_corpus("corpora/rows");
  spec.set_steps(steps);
  spec.set_batch_size(8);
  auto resolved = ResolveTrainingSpec(*TinyRegistry(), std::move(spec));
  EXPECT_OK(resolved);
  v1::Job job;
  if (resolved.ok()) *job.mutable_train_midcoder() = *std::move(resolved);
  job.set_owner(owner);
  return job;
}

inline bool HasEnded(const v1::Job& job) { return job.state() >= v1::JOB_STATE_SUCCEEDED; }

class ManagerRig {
 public:
  // Through the store that `wrap`, where there is one, makes of the rig's, the manager sees it.
  explicit ManagerRig(const std::string& folder, DurableJobManager::Options options = {},
                      const std::function<JobStore*(JobStore* store)>& wrap = nullptr,
                      const ModelRegistry* registry = TinyRegistry(), MemoryBudget* budget = nullptr) {
    auto opened = DataFolder::Open(folder);
    EXPECT_OK(opened);
    folder_ = *std::move(opened);
    auto database = Database::Open(folder_->database_path());
    EXPECT_OK(database);
    database_ = *std::move(database);
    store_.emplace(database_.get());
    midcoders_.emplace(folder_.get(), database_.get());
    snapshots_.emplace(folder_.get(), database_.get());
    factorizations_.emplace(folder_.get(), database_.get());
    executor_.emplace(DeviceExecutor::Options(), &clock_, &metrics_);
    parts_ = {wrap == nullptr ? &*store_ : wrap(&*store_),
              &*midcoders_,
              &*snapshots_,
              &*factorizations_,
              folder_.get(),
              registry,
              &*executor_,
              &clock_,
              &metrics_,
              budget};
    options.lane = &lane_;
    auto manager = DurableJobManager::Create(std::move(options), parts_);
    EXPECT_OK(manager);
    manager_ = *std::move(manager);
  }

  DurableJobManager& manager() { return *manager_; }
  JobStore& store() { return *store_; }
  MidcoderStore& midcoders() { return *midcoders_; }
  SnapshotStore& snapshots() { return *snapshots_; }
  FactorizationStore& factorizations() { return *factorizations_; }
  DeviceExecutor& executor() { return *executor_; }
  const DataFolder& folder() const { return *folder_; }
  // As a crash would.
  void DestroyManager() { manager_.reset(); }

  v1::Job Submit(const v1::Job& job) {
    auto submitted = manager_->Submit(job, nullptr);
    EXPECT_OK(submitted);
    return submitted.ok() ? *submitted : v1::Job();
  }
  v1::Job Get(const std::string& name) {
    auto job = manager_->Get(name);
    EXPECT_OK(job);
    return job.ok() ? *job : v1::Job();
  }
  // The first state of the job that is `enough`, or its end, after which none will be.
  v1::Job WaitUntil(const std::string& name, const std::function<bool(const v1::Job& job)>& enough) {
    Notification reached;
    v1::Job found;
    const auto subscription = manager_->Watch(name, [&](const v1::Job& job) {
      if (reached.HasBeenNotified() || !(enough(job) || HasEnded(job))) return;
      found = job;
      reached.Notify();
    });
    v1::Job now = Get(name);
    if (enough(now) || HasEnded(now)) return now;
    reached.Wait();
    return found;
  }
  v1::Job WaitForEnd(const std::string& name) { return WaitUntil(name, HasEnded); }

 private:
  TickingClock clock_;
  Metrics metrics_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::optional<SqliteJobStore> store_;
  std::optional<MidcoderStore> midcoders_;
  std::optional<SnapshotStore> snapshots_;
  std::optional<FactorizationStore> factorizations_;
  std::optional<DeviceExecutor> executor_;
  LongLane lane_{1};
  JobParts parts_;
  std::unique_ptr<DurableJobManager> manager_;
};

}  // namespace superpose
