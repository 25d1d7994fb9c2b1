// Settings of a client and of its calls.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "superpose/v1/job.pb.h"

namespace superpose::client {

struct ClientOptions {
  // Who calls: jobs and midcoders carry it as their owner, and the device is shared fairly by it. Printable ASCII;
  // empty means "anonymous".
  std::string user;
  // Longest time of one call.
  absl::Duration deadline = absl::Seconds(60);
  // Longest time of one call that streams data: many activations, a tensor.
  absl::Duration stream_deadline = absl::Minutes(30);
};

struct SubmitOptions {
  // Submitting twice with the same id gives the same job. Empty: a new random id, so that a retry after a lost answer
  // is safe.
  std::string request_id;
  // Higher goes first.
  int32_t priority = 0;
};

struct ListJobsOptions {
  // Only jobs in one of these states; empty means all.
  std::vector<v1::JobState> states;
  // Only jobs of this owner; empty means all.
  std::string owner;
  // At most this many; 0 means all.
  int64_t limit = 0;
};

struct ListSnapshotsOptions {
  // Only those of this midcoder, "midcoders/..", or of this job, "jobs/.."; at most one of the two.
  std::string midcoder;
  std::string job;
};

struct TakeSnapshotOptions {
  // Words for the snapshots.
  std::map<std::string, std::string> labels;
  // Longest time until they are stored: the job ends its step first.
  absl::Duration deadline = absl::Minutes(10);
};

struct AnalyzeOptions {
  // As in SubmitOptions; matters only where a job results.
  std::string request_id;
  // Answer with a job in any case.
  bool as_job = false;
};

struct WatchOptions {
  // When to stop watching.
  absl::Time deadline = absl::InfiniteFuture();
  // How long to look for a server that went away before giving up.
  absl::Duration reconnect_for = absl::Minutes(10);
  // Stops watching at once, from any thread. The job goes on.
  std::stop_token stop;
};

// Called with a job as it is now. Calls come one at a time, on the thread that watches; the same state may come twice.
using JobCallback = std::function<void(const v1::Job& job)>;

// Called with how many bytes of how many the server has, or have come from it.
using UploadProgress = std::function<void(int64_t done, int64_t total)>;

struct ExportOptions {
  // Put the statistics of this snapshot of the midcoder into the file as well, "snapshots/..", under the names that the
  // reference uses; .pt only. Empty: none.
  std::string snapshot;
  UploadProgress on_progress = nullptr;
};

}  // namespace superpose::client
