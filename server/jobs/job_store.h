// Where jobs are kept. An interface, so that another database can take SQLite's place; tests/server/jobs has one suite
// that every implementation must pass.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// The right to work on a job. Every write of a worker names it; once another claim was made, or the job was ended by
// somebody else, those writes are refused with ABORTED / LEASE_LOST.
struct JobClaim {
  v1::Job job;
  int64_t fencing_token = 0;
  int64_t recoveries = 0;  // how often Recover took it from a worker that was gone, since its last checkpoint
};

// What the scheduler needs to know of a job that waits or runs.
struct ActiveJob {
  std::string name;
  std::string owner;
  int32_t priority = 0;
  v1::JobState state = v1::JOB_STATE_QUEUED;
  int64_t sequence = 0;      // ascending in the order of submission
  bool is_question = false;  // an analysis of a snapshot
};

struct JobFilter {
  std::vector<v1::JobState> states;  // empty: all
  std::string owner;                 // empty: all
};

struct JobPage {
  std::vector<v1::Job> jobs;
  std::string next_page_token;  // empty at the end
};

// How a job ended.
struct JobOutcome {
  v1::JobState state = v1::JOB_STATE_SUCCEEDED;  // SUCCEEDED, FAILED or CANCELLED
  v1::Job result;                                // its `result` (SUCCEEDED) or `error` (FAILED) field
};

// Thread-safe; blocks on disk. Errors beside those named: STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED. Times are
// the caller's.
class JobStore {
 public:
  virtual ~JobStore() = default;

  // Keeps a new job, state QUEUED, from `job`'s spec, owner, priority and request_id; gives it a name. `as_sent` is the
  // job with the spec as its user sent it, before defaults were filled in: see FindSubmitted, whose job is returned
  // where there is one.
  virtual absl::StatusOr<v1::Job> Submit(const v1::Job& job, const v1::Job& as_sent, absl::Time now) = 0;
  // The job that the same request made before: of the same owner and request id. ALREADY_EXISTS / REQUEST_ID_REUSED
  // when it was sent with another spec or priority. Nothing for an empty request id.
  virtual absl::StatusOr<std::optional<v1::Job>> FindSubmitted(const v1::Job& as_sent) = 0;
  // NOT_FOUND / JOB_NOT_FOUND.
  virtual absl::StatusOr<v1::Job> Get(const std::string& name) = 0;
  // Newest first. INVALID_ARGUMENT / PAGE_TOKEN_INVALID.
  virtual absl::StatusOr<JobPage> List(const JobFilter& filter, int64_t page_size, const std::string& page_token) = 0;
  // Jobs that are queued or running, oldest first.
  virtual absl::StatusOr<std::vector<ActiveJob>> Active() = 0;
  // Every state, also those that no job is in.
  virtual absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() = 0;

  // QUEUED -> RUNNING with a new fencing token, attempt + 1, start_time at the first. Nothing when it is not queued any
  // more.
  virtual absl::StatusOr<std::optional<JobClaim>> Claim(const std::string& name, const std::string& worker,
                                                        absl::Time now, absl::Duration lease) = 0;
  // Extends the lease and keeps progress and metrics of claim.job. Returns the job as it is now: its cancel_requested
  // may have been set.
  virtual absl::StatusOr<v1::Job> Heartbeat(const JobClaim& claim, absl::Time now, absl::Duration lease) = 0;
  // The job can go on from a newer point than when it was claimed: its recoveries until now do not count any more.
  virtual absl::Status NoteCheckpoint(const JobClaim& claim) = 0;
  // RUNNING -> SUCCEEDED, FAILED or CANCELLED, with the last progress and metrics of claim.job. Returns the job as it
  // is now.
  virtual absl::StatusOr<v1::Job> Finish(const JobClaim& claim, const JobOutcome& outcome, absl::Time now) = 0;
  // RUNNING -> QUEUED in its old place (a stopping server gives its jobs back); CANCELLED when a cancel was requested.
  virtual absl::StatusOr<v1::Job> GiveBack(const JobClaim& claim, absl::Time now) = 0;
  // RUNNING -> QUEUED (CANCELLED when a cancel was requested) for every job whose lease ended before `now`, or, with
  // `all`, for every one: what a server that alone uses the store does when it starts. Counts it for each, and returns
  // their names.
  virtual absl::StatusOr<std::vector<std::string>> Recover(absl::Time now, bool all) = 0;

  // QUEUED -> CANCELLED; RUNNING: notes cancel_requested; again: no error. FAILED_PRECONDITION / JOB_ALREADY_FINISHED
  // when it has succeeded or failed; a CANCELLED job stays so without error.
  virtual absl::StatusOr<v1::Job> Cancel(const std::string& name, absl::Time now) = 0;
  // FAILED_PRECONDITION / JOB_NOT_FINISHED unless it has ended.
  virtual absl::Status Delete(const std::string& name) = 0;
};

}  // namespace superpose
