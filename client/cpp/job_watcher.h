// Watches one job over as many streams as it takes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/backoff.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"

namespace superpose::client {

// For one call of Run() on one thread.
class JobWatcher {
 public:
  JobWatcher(const Connection& connection, std::string name, const JobCallback& on_change, const WatchOptions& options);

  // As Client::WatchJob.
  absl::StatusOr<v1::Job> Run();

 private:
  // Reads one stream to its end. Returns how it ended.
  absl::Status ReadStream();
  void Take(const v1::Job& job);
  // OK when another stream is to be tried after one that ended with `status`.
  absl::Status CheckGoOn(const absl::Status& status) const;

  const Connection& connection_;
  const std::string name_;
  const JobCallback& on_change_;
  const WatchOptions& options_;
  Backoff backoff_;
  v1::Job job_;
  // When the server was last there, for all we know; InfinitePast before the first time.
  absl::Time last_contact_ = absl::InfinitePast();
};

}  // namespace superpose::client
