#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/jobs/database.h"
#include "server/jobs/job_store.h"

namespace superpose {

// Jobs in the server's SQLite file. Every method is one transaction, and durable when it returns.
class SqliteJobStore final : public JobStore {
 public:
  // `database` must outlive this.
  explicit SqliteJobStore(Database* database) : database_(database) {}

  absl::StatusOr<v1::Job> Submit(const v1::Job& job, const v1::Job& as_sent, absl::Time now) override;
  absl::StatusOr<std::optional<v1::Job>> FindSubmitted(const v1::Job& as_sent) override;
  absl::StatusOr<v1::Job> Get(const std::string& name) override;
  absl::StatusOr<JobPage> List(const JobFilter& filter, int64_t page_size, const std::string& page_token) override;
  absl::StatusOr<std::vector<ActiveJob>> Active() override;
  absl::StatusOr<std::map<v1::JobState, int64_t>> CountByState() override;

  absl::StatusOr<std::optional<JobClaim>> Claim(const std::string& name, const std::string& worker, absl::Time now,
                                                absl::Duration lease) override;
  absl::StatusOr<v1::Job> Heartbeat(const JobClaim& claim, absl::Time now, absl::Duration lease) override;
  absl::Status NoteCheckpoint(const JobClaim& claim) override;
  absl::StatusOr<v1::Job> Finish(const JobClaim& claim, const JobOutcome& outcome, absl::Time now) override;
  absl::StatusOr<v1::Job> GiveBack(const JobClaim& claim, absl::Time now) override;
  absl::StatusOr<std::vector<std::string>> Recover(absl::Time now, bool all) override;

  absl::StatusOr<v1::Job> Cancel(const std::string& name, absl::Time now) override;
  absl::Status Delete(const std::string& name) override;

 private:
  Database* const database_;
};

}  // namespace superpose
