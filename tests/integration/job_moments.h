// Moments in a job's life that tests wait for.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "client/cpp/client.h"
#include "tests/support/tiny_server.h"

namespace superpose {

inline bool HasCheckpoint(const TinyServer& server, const std::string& job) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(server.folder() / "data" / job, error)) {
    if (entry.path().filename().string().find("checkpoint-") == 0) return true;
  }
  return false;
}

// Watches the job until `enough`.
inline absl::Status WatchUntil(const Client& client, const std::string& job,
                               const std::function<bool(const v1::Job&)>& enough) {
  std::stop_source stop;
  client::WatchOptions options;
  options.stop = stop.get_token();
  options.deadline = absl::Now() + absl::Minutes(2);
  auto on_change = [&](const v1::Job& now) {
    if (enough(now)) stop.request_stop();
  };
  const absl::Status status = client.WatchJob(job, on_change, options).status();
  if (status.ok()) return absl::FailedPreconditionError("the job ended before");
  return absl::IsCancelled(status) ? absl::OkStatus() : status;
}

}  // namespace superpose
