#include "server/jobs/sqlite_job_store.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/job_rows.h"
#include "server/jobs/newest_first.h"
#include "server/jobs/resource_id.h"
#include "server/jobs/statement.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

// RUNNING -> QUEUED, or CANCELLED when a cancel was requested; the only parameter is the time. All right-hand sides see
// the old row.
constexpr char kSetBack[] =
    "UPDATE jobs SET worker = '', lease_expires = NULL, "
    "state = CASE cancel_requested WHEN 0 THEN 1 ELSE 5 END, "
    "end_time = CASE cancel_requested WHEN 0 THEN NULL ELSE ? END, cancel_requested = 0 ";
static_assert(v1::JOB_STATE_QUEUED == 1 && v1::JOB_STATE_CANCELLED == 5);

// The rows that a claim is good for.
constexpr char kWhereClaimed[] = "WHERE name = ? AND fencing_token = ? AND state = ?";

absl::StatusOr<v1::Job> JobOf(sqlite3* connection, const std::string& name) {
  Statement select(connection, absl::StrCat("SELECT ", kJobColumns, " FROM jobs WHERE name = ?"), name);
  SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return NotFound(reason::kJobNotFound, "there is no job \"", name, "\"");
  return ReadJob(select);
}

// After an UPDATE under a claim: the job as it is now, or that the claim was lost.
absl::StatusOr<v1::Job> ClaimedJob(sqlite3* connection, const JobClaim& claim) {
  if (sqlite3_changes(connection) > 0) return JobOf(connection, claim.job.name());
  return Error(absl::StatusCode::kAborted, reason::kLeaseLost,
               absl::StrCat(claim.job.name(), " is no longer this worker's: it was taken over, set back or ended"));
}

// The job that the same owner submitted before under the same request id.
absl::StatusOr<std::optional<v1::Job>> Submitted(sqlite3* connection, const v1::Job& job) {
  if (job.request_id().empty()) return std::nullopt;
  Statement select(connection, "SELECT name, request_hash FROM jobs WHERE owner = ? AND request_id = ?", job.owner(),
                   job.request_id());
  SUPERPOSE_ASSIGN_OR_RETURN(const bool found, select.Step());
  if (!found) return std::nullopt;
  const std::string name = select.Text(0);
  if (select.Text(1) != RequestHash(job)) {
    return Error(absl::StatusCode::kAlreadyExists, reason::kRequestIdReused,
                 absl::StrCat("request_id \"", job.request_id(), "\" was used for ", name,
                              ", which asks for something else: use a new id"));
  }
  return JobOf(connection, name);
}

// One bit for each state to keep. States that do not exist have no jobs.
int64_t MaskOf(const std::vector<v1::JobState>& states) {
  if (states.empty()) return -1;
  int64_t mask = 0;
  for (const v1::JobState state : states) {
    if (v1::JobState_IsValid(state)) mask |= int64_t{1} << state;
  }
  return mask;
}

}  // namespace

absl::StatusOr<std::optional<v1::Job>> SqliteJobStore::FindSubmitted(const v1::Job& as_sent) {
  return database_->Transact([&](sqlite3* connection) { return Submitted(connection, as_sent); });
}

absl::StatusOr<v1::Job> SqliteJobStore::Submit(const v1::Job& job, const v1::Job& as_sent, absl::Time now) {
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<v1::Job> {
    SUPERPOSE_ASSIGN_OR_RETURN(std::optional<v1::Job> before, Submitted(connection, as_sent));
    if (before.has_value()) return *std::move(before);
    const std::string name = absl::StrCat("jobs/", NewResourceId());
    const std::string spec = SpecBytes(job);
    Statement insert(connection,
                     "INSERT INTO jobs (name, owner, priority, state, spec, is_question, request_id, request_hash, "
                     "create_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     name, job.owner(), job.priority(), v1::JOB_STATE_QUEUED, SqlBlob{spec}, job.has_analyze_snapshot(),
                     job.request_id(), RequestHash(as_sent), TimeColumn(now));
    SUPERPOSE_RETURN_IF_ERROR(insert.Run());
    return JobOf(connection, name);
  });
}

absl::StatusOr<v1::Job> SqliteJobStore::Get(const std::string& name) {
  return database_->Transact([&](sqlite3* connection) { return JobOf(connection, name); });
}

absl::StatusOr<JobPage> SqliteJobStore::List(const JobFilter& filter, int64_t page_size,
                                             const std::string& page_token) {
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t before, SequenceBefore(page_token));
  const int64_t size = BoundedPageSize(page_size);
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<JobPage> {
    Statement select(connection,
                     absl::StrCat("SELECT ", kJobColumns,
                                  ", sequence FROM jobs WHERE sequence < ? AND (? >> state) & 1 AND ? IN ('', owner) "
                                  "ORDER BY sequence DESC LIMIT ?"),
                     before, MaskOf(filter.states), filter.owner, size + 1);
    constexpr int kSequence = 13;  // behind kJobColumns
    JobPage page;
    int64_t last = 0, bytes = 0;
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return page;
      SUPERPOSE_ASSIGN_OR_RETURN(v1::Job job, ReadJob(select));
      const auto job_bytes = static_cast<int64_t>(job.ByteSizeLong());
      if (PageIsFull(page.jobs.size(), size, bytes, job_bytes)) break;
      bytes += job_bytes;
      page.jobs.push_back(std::move(job));
      last = select.Int(kSequence);
    }
    page.next_page_token = absl::StrCat(last);
    return page;
  });
}

absl::StatusOr<std::vector<ActiveJob>> SqliteJobStore::Active() {
  return database_->Transact([](sqlite3* connection) -> absl::StatusOr<std::vector<ActiveJob>> {
    Statement select(connection,
                     "SELECT name, owner, priority, state, sequence, is_question FROM jobs WHERE state IN (?, ?) "
                     "ORDER BY sequence",
                     v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING);
    std::vector<ActiveJob> jobs;
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return jobs;
      jobs.push_back({.name = select.Text(0),
                      .owner = select.Text(1),
                      .priority = static_cast<int32_t>(select.Int(2)),
                      .state = static_cast<v1::JobState>(select.Int(3)),
                      .sequence = select.Int(4),
                      .is_question = select.Int(5) != 0});
    }
  });
}

absl::StatusOr<std::map<v1::JobState, int64_t>> SqliteJobStore::CountByState() {
  return database_->Transact([](sqlite3* connection) -> absl::StatusOr<std::map<v1::JobState, int64_t>> {
    std::map<v1::JobState, int64_t> counts;
    for (int state = v1::JOB_STATE_QUEUED; state <= v1::JobState_MAX; ++state)
      counts[static_cast<v1::JobState>(state)] = 0;
    Statement select(connection, "SELECT state, COUNT(*) FROM jobs GROUP BY state");
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) return counts;
      counts[static_cast<v1::JobState>(select.Int(0))] = select.Int(1);
    }
  });
}

absl::StatusOr<std::optional<JobClaim>> SqliteJobStore::Claim(const std::string& name, const std::string& worker,
                                                              absl::Time now, absl::Duration lease) {
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<std::optional<JobClaim>> {
    Statement update(connection,
                     "UPDATE jobs SET state = ?, fencing_token = fencing_token + 1, attempt = attempt + 1, worker = ?, "
                     "lease_expires = ?, start_time = COALESCE(start_time, ?) WHERE name = ? AND state = ? "
                     "RETURNING fencing_token, recoveries",
                     v1::JOB_STATE_RUNNING, worker, TimeColumn(now + lease), TimeColumn(now), name,
                     v1::JOB_STATE_QUEUED);
    SUPERPOSE_ASSIGN_OR_RETURN(const bool claimed, update.Step());
    if (!claimed) return std::nullopt;
    JobClaim claim;
    claim.fencing_token = update.Int(0);
    claim.recoveries = update.Int(1);
    SUPERPOSE_RETURN_IF_ERROR(update.Run());
    SUPERPOSE_ASSIGN_OR_RETURN(claim.job, JobOf(connection, name));
    return claim;
  });
}

absl::StatusOr<v1::Job> SqliteJobStore::Heartbeat(const JobClaim& claim, absl::Time now, absl::Duration lease) {
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<v1::Job> {
    const std::string progress = ProgressBytes(claim.job);
    Statement update(connection, absl::StrCat("UPDATE jobs SET lease_expires = ?, progress = ? ", kWhereClaimed),
                     TimeColumn(now + lease), SqlBlob{progress}, claim.job.name(), claim.fencing_token,
                     v1::JOB_STATE_RUNNING);
    SUPERPOSE_RETURN_IF_ERROR(update.Run());
    return ClaimedJob(connection, claim);
  });
}

absl::Status SqliteJobStore::NoteCheckpoint(const JobClaim& claim) {
  return database_->Transact([&](sqlite3* connection) -> absl::Status {
    Statement update(connection, absl::StrCat("UPDATE jobs SET recoveries = 0 ", kWhereClaimed), claim.job.name(),
                     claim.fencing_token, v1::JOB_STATE_RUNNING);
    SUPERPOSE_RETURN_IF_ERROR(update.Run());
    return ClaimedJob(connection, claim).status();
  });
}

absl::StatusOr<v1::Job> SqliteJobStore::Finish(const JobClaim& claim, const JobOutcome& outcome, absl::Time now) {
  if (outcome.state < v1::JOB_STATE_SUCCEEDED) {
    return InternalError(reason::kStorageFailed, claim.job.name(), " cannot end in the state ",
                         v1::JobState_Name(outcome.state));
  }
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<v1::Job> {
    const std::string progress = ProgressBytes(claim.job);
    const std::string bytes = OutcomeBytes(outcome.state, outcome.result);
    Statement update(
        connection,
        absl::StrCat("UPDATE jobs SET state = ?, progress = ?, outcome = ?, keeps_files = ?, end_time = ?, "
                     "cancel_requested = 0, worker = '', lease_expires = NULL ",
                     kWhereClaimed),
        outcome.state, SqlBlob{progress}, SqlBlob{bytes}, KeepsFiles(outcome.result), TimeColumn(now), claim.job.name(),
        claim.fencing_token, v1::JOB_STATE_RUNNING);
    SUPERPOSE_RETURN_IF_ERROR(update.Run());
    return ClaimedJob(connection, claim);
  });
}

absl::StatusOr<v1::Job> SqliteJobStore::GiveBack(const JobClaim& claim, absl::Time now) {
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<v1::Job> {
    Statement update(connection, absl::StrCat(kSetBack, kWhereClaimed), TimeColumn(now), claim.job.name(),
                     claim.fencing_token, v1::JOB_STATE_RUNNING);
    SUPERPOSE_RETURN_IF_ERROR(update.Run());
    return ClaimedJob(connection, claim);
  });
}

absl::StatusOr<std::vector<std::string>> SqliteJobStore::Recover(absl::Time now, bool all) {
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<std::vector<std::string>> {
    constexpr absl::string_view kExpired = "WHERE state = ? AND (? OR lease_expires < ?)";
    Statement select(connection, absl::StrCat("SELECT name FROM jobs ", kExpired, " ORDER BY sequence"),
                     v1::JOB_STATE_RUNNING, all, TimeColumn(now));
    std::vector<std::string> names;
    while (true) {
      SUPERPOSE_ASSIGN_OR_RETURN(const bool more, select.Step());
      if (!more) break;
      names.push_back(select.Text(0));
    }
    Statement update(connection, absl::StrCat(kSetBack, ", recoveries = recoveries + 1 ", kExpired), TimeColumn(now),
                     v1::JOB_STATE_RUNNING, all, TimeColumn(now));
    SUPERPOSE_RETURN_IF_ERROR(update.Run());
    return names;
  });
}

absl::StatusOr<v1::Job> SqliteJobStore::Cancel(const std::string& name, absl::Time now) {
  return database_->Transact([&](sqlite3* connection) -> absl::StatusOr<v1::Job> {
    SUPERPOSE_ASSIGN_OR_RETURN(v1::Job job, JobOf(connection, name));
    switch (job.state()) {
      case v1::JOB_STATE_QUEUED:
        SUPERPOSE_RETURN_IF_ERROR(Statement(connection, "UPDATE jobs SET state = ?, end_time = ? WHERE name = ?",
                                            v1::JOB_STATE_CANCELLED, TimeColumn(now), name)
                                      .Run());
        return JobOf(connection, name);
      case v1::JOB_STATE_RUNNING:
        SUPERPOSE_RETURN_IF_ERROR(
            Statement(connection, "UPDATE jobs SET cancel_requested = 1 WHERE name = ?", name).Run());
        return JobOf(connection, name);
      case v1::JOB_STATE_CANCELLED:
        return job;
      default:
        return FailedPrecondition(reason::kJobAlreadyFinished, name, " has ended (", v1::JobState_Name(job.state()),
                                  "): it cannot be cancelled");
    }
  });
}

absl::Status SqliteJobStore::Delete(const std::string& name) {
  return database_->Transact([&](sqlite3* connection) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const v1::Job job, JobOf(connection, name));
    if (job.state() < v1::JOB_STATE_SUCCEEDED) {
      return FailedPrecondition(reason::kJobNotFinished, name,
                                " has not ended: cancel it first, and delete it once it has ended");
    }
    return Statement(connection, "DELETE FROM jobs WHERE name = ?", name).Run();
  });
}

}  // namespace superpose
