// Jobs that collect statistics on the tiny model, which a test lets go on step by step.
#pragma once

#include <ATen/ATen.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "server/runtime/statistics_specs.h"
#include "tests/server/jobs/manager_rig.h"

namespace superpose {

// A batch of them has 4 sequences of 32 tokens, which all count; the corpus has 16 such batches.
inline constexpr int64_t kBatchTokens = 4 * 32;
inline constexpr int64_t kAllTokens = 64 * 32;

inline v1::Job TinyCollection(const std::function<void(v1::StatisticsSpec* spec)>& change = nullptr,
                              const std::vector<v1::Midcoder>& midcoders = {},
                              const ModelRegistry& registry = *TinyRegistry()) {
  v1::StatisticsSpec spec;
  spec.add_transcoders("models/tiny/layers/1");
  spec.set_corpus("corpora/rows");
  spec.set_batch_size(4);
  spec.mutable_options()->set_include_bos(true);
  for (const v1::Midcoder& midcoder : midcoders) spec.add_midcoders(midcoder.name());
  if (change != nullptr) change(&spec);
  auto resolved = ResolveStatisticsSpec(registry, midcoders, std::move(spec));
  EXPECT_OK(resolved);
  v1::Job job;
  if (resolved.ok()) *job.mutable_collect_statistics() = *std::move(resolved);
  job.set_owner("ada");
  return job;
}

inline std::string ReasonOfJob(const v1::Job& job) {
  google::rpc::ErrorInfo info;
  for (const auto& detail : job.error().details()) {
    if (detail.UnpackTo(&info)) return info.reason();
  }
  return "";
}

// How far jobs may go: in tokens or steps.
class Gate {
 public:
  explicit Gate(int64_t limit = 0) : limit_(limit) {}
  void OpenUpTo(int64_t limit) { limit_ = limit; }
  void Open() { limit_ = INT64_MAX; }
  bool IsClosedAt(int64_t done) const { return done >= limit_; }

 private:
  std::atomic<int64_t> limit_;
};

// Real work that stands still, but for what the manager wants of it, where the gate is closed.
class GatedWork final : public JobWork {
 public:
  GatedWork(std::unique_ptr<JobWork> work, const Gate* gate) : work_(std::move(work)), gate_(gate) {}

  absl::StatusOr<bool> RunSlice(const Budget& budget) override {
    if (AtGate()) return false;
    return work_->RunSlice(Budget([&] { return budget.Exhausted() || AtGate(); }));
  }
  bool AtBoundary() const override { return work_->AtBoundary(); }
  WorkReport Report() const override { return work_->Report(); }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override {
    return work_->WriteCheckpoint(keep_writing);
  }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override { return work_->Finish(keep_writing); }
  bool SnapshotIsDue() const override { return work_->SnapshotIsDue(); }
  absl::StatusOr<std::vector<TakenStatistics>> TakeStatistics() override { return work_->TakeStatistics(); }

 private:
  bool AtGate() const { return work_->AtBoundary() && gate_->IsClosedAt(work_->Report().progress.done()); }

  const std::unique_ptr<JobWork> work_;
  const Gate* const gate_;
};

// The gate must outlive the manager's executor. Checkpoints are written when the server stops only: while a job is held
// back, the clock is looked at very often, and runs.
inline DurableJobManager::Options Gated(const Gate* gate) {
  DurableJobManager::Options options;
  options.checkpoint_interval = absl::InfiniteDuration();
  options.make_work = [gate](const v1::Job& job, const JobParts& parts) -> absl::StatusOr<std::unique_ptr<JobWork>> {
    auto work = MakeJobWork(job, parts);
    if (!work.ok()) return work;
    return std::make_unique<GatedWork>(*std::move(work), gate);
  };
  return options;
}

// At a gate that is closed there. What a job had done before a crash may be more, and is shown until it runs again.
inline v1::Job WaitUntilDone(ManagerRig& rig, const std::string& job, int64_t done) {
  return rig.WaitUntil(job, [done](const v1::Job& now) {
    return now.state() == v1::JOB_STATE_RUNNING && now.progress().done() == done;
  });
}

using Snapshots = std::vector<v1::Snapshot>;

// Asks for snapshots and keeps the answer.
class SnapshotCall {
 public:
  SnapshotCall(ManagerRig& rig, const std::string& job, std::map<std::string, std::string> labels = {}) {
    rig.manager().TakeSnapshots(job, {std::move(labels), [this](const absl::StatusOr<Snapshots>& snapshots) {
                                        EXPECT_FALSE(answered_.HasBeenNotified()) << "answered twice";
                                        answer_ = snapshots;
                                        answered_.Notify();
                                      }});
  }
  const absl::StatusOr<Snapshots>& Answer() const {
    answered_.Wait();
    return answer_;
  }

 private:
  Notification answered_;
  absl::StatusOr<Snapshots> answer_ = Snapshots();
};

inline TensorMap TensorsOf(ManagerRig& rig, const std::string& snapshot) {
  const auto file = rig.snapshots().Open(snapshot);
  EXPECT_OK(file);
  return file.ok() ? file->tensors() : TensorMap();
}

// All of a job, newest first.
inline Snapshots SnapshotsOf(ManagerRig& rig, const std::string& job) {
  const auto page = rig.snapshots().List(1000, "", /*midcoder=*/"", job);
  EXPECT_OK(page);
  return page.ok() ? page->items : Snapshots();
}

// The only snapshot that a job made.
inline v1::Snapshot ResultOf(ManagerRig& rig, const v1::Job& job) {
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.collected_snapshots().snapshots_size(), 1);
  if (job.collected_snapshots().snapshots_size() != 1) return {};
  const auto snapshot = rig.snapshots().Get(job.collected_snapshots().snapshots(0));
  EXPECT_OK(snapshot);
  return snapshot.ok() ? *snapshot : v1::Snapshot();
}

inline v1::Snapshot Collect(ManagerRig& rig, const v1::Job& job) {
  return ResultOf(rig, rig.WaitForEnd(rig.Submit(job).name()));
}

// What the library's collector makes of such a job after so many tokens, by transcoder.
inline std::vector<TensorMap> CollectDirectly(ManagerRig& rig, const v1::Job& job, int64_t tokens = kAllTokens,
                                              const ModelRegistry& registry = *TinyRegistry()) {
  std::vector<TensorMap> sums;
  EXPECT_OK(rig.executor().RunAndWait([&]() -> absl::Status {
    const v1::StatisticsSpec& spec = job.collect_statistics();
    const auto handles = FindStatisticsHandles(registry, spec, {});
    if (!handles.ok()) return handles.status();
    const auto inputs = CollectorInputsFor(*handles, spec, {});
    if (!inputs.ok()) return inputs.status();
    CollectorConfig config = CollectorConfigFor(spec);
    config.tokens = tokens;
    const auto collector = StatisticsCollector::Create(*inputs, config);
    if (!collector.ok()) return collector.status();
    const auto done = (*collector)->RunSlice(Budget::Unlimited());
    for (int64_t i = 0; i < (*collector)->layers(); ++i) {
      TensorMap& copies = sums.emplace_back();
      for (const auto& [name, tensor] : (*collector)->statistics(i).Tensors()) copies[name] = tensor.clone();
    }
    return done.status();
  }));
  return sums;
}

// NaN is NaN.
inline bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const at::Tensor left = a.contiguous(), right = b.contiguous();
  return a.numel() == 0 || std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

inline void ExpectSame(const TensorMap& tensors, const TensorMap& wanted) {
  EXPECT_EQ(tensors.size(), wanted.size());
  EXPECT_FALSE(wanted.empty());
  for (const auto& [name, tensor] : wanted) {
    ASSERT_EQ(tensors.count(name), 1U) << name;
    EXPECT_TRUE(SameBits(tensors.at(name), tensor)) << name;
  }
}

}  // namespace superpose
