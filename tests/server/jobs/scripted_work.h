// A JobWork and a JobStore that do what a test wants.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/jobs/job_store.h"
#include "server/jobs/job_work.h"

namespace superpose {

// Done at the first slice, and without anything to go on from, unless told otherwise.
struct Script {
  std::function<absl::StatusOr<bool>(const Budget& budget)> run_slice = [](const Budget&) { return true; };
  std::function<absl::StatusOr<bool>(const KeepWriting&)> write_checkpoint = [](const KeepWriting&) { return false; };
  std::function<absl::StatusOr<v1::Job>(const KeepWriting&)> finish = [](const KeepWriting&) { return v1::Job(); };
};

class ScriptedWork final : public JobWork {
 public:
  explicit ScriptedWork(Script script) : script_(std::move(script)) {}

  absl::StatusOr<bool> RunSlice(const Budget& budget) override { return script_.run_slice(budget); }
  bool AtBoundary() const override { return true; }
  WorkReport Report() const override { return {}; }
  absl::StatusOr<bool> WriteCheckpoint(const KeepWriting& keep_writing) override {
    return script_.write_checkpoint(keep_writing);
  }
  absl::StatusOr<v1::Job> Finish(const KeepWriting& keep_writing) override { return script_.finish(keep_writing); }

 private:
  const Script script_;
};

// Another store, but for what a test does before its calls: an error there is the answer.
class TroubledStore final : public JobStore {
 public:
  explicit TroubledStore(JobStore* store) : store_(store) {}

  std::function<absl::Status()> before_heartbeat = [] { return absl::OkStatus(); };
  std::function<absl::Status()> before_finish = [] { return absl::OkStatus(); };

  absl::StatusOr<v1::Job> Submit(const v1::Job& job, const v1::Job& as_sent, absl::Time now) override {
    return store_->Submit(job, as_sent, now);
  }
  absl::StatusOr<std::optional<v1::Job>> FindSubmitted(const v1::Job& as_sent) override {
    return store_->FindSubmitted(as_sent);
  }
  absl::StatusOr<v1::Job> Get(const std::string& name) override { return store_->Get(name); }
  absl::StatusOr<JobPage> List(const JobFilter& filter, int64_t size, const std::string& token) override {
    return store_->List(filter, size, token);
  }
  absl::StatusOr<std::vector<ActiveJob>> Active() override { return store_->Active(); }
  absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() override { return store_->CountByState(); }
  absl::StatusOr<std::optional<JobClaim>> Claim(const std::string& name, const std::string& worker, absl::Time now,
                                                absl::Duration lease) override {
    return store_->Claim(name, worker, now, lease);
  }
  absl::StatusOr<v1::Job> Heartbeat(const JobClaim& claim, absl::Time now, absl::Duration lease) override {
    if (absl::Status trouble = before_heartbeat(); !trouble.ok()) return trouble;
    return store_->Heartbeat(claim, now, lease);
  }
  absl::Status NoteCheckpoint(const JobClaim& claim) override { return store_->NoteCheckpoint(claim); }
  absl::StatusOr<v1::Job> Finish(const JobClaim& claim, const JobOutcome& outcome, absl::Time now) override {
    if (absl::Status trouble = before_finish(); !trouble.ok()) return trouble;
    return store_->Finish(claim, outcome, now);
  }
  absl::StatusOr<v1::Job> GiveBack(const JobClaim& claim, absl::Time now) override {
    return store_->GiveBack(claim, now);
  }
  absl::StatusOr<std::vector<std::string>> Recover(absl::Time now, bool all) override {
    return store_->Recover(now, all);
  }
  absl::StatusOr<v1::Job> Cancel(const std::string& name, absl::Time now) override { return store_->Cancel(name, now); }
  absl::Status Delete(const std::string& name) override { return store_->Delete(name); }

 private:
  JobStore* const store_;
};

}  // namespace superpose
