// The real server as a child process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"

namespace superpose {

// Thread-safe, but for the functions that end the process: call those from one thread.
class ServerProcess {
 public:
  // Runs `superposed --config FILE` and waits until it listens. An error with what it wrote when it ends before that.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const std::filesystem::path& config);
  // Runs it and does not wait; it has no address.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Launch(const std::filesystem::path& config);
  // Kills it, if it runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // SIGKILL: what a power cut does to it.
  void Kill();
  // Sends SIGTERM, which lets it end in order, and waits for its end. Returns its exit code, or minus the signal that
  // ended it.
  int Terminate();

  // What it has logged so far: the lines of its standard error that are JSON objects.
  std::vector<nlohmann::json> LogLines() const;
  // Waits for a line with this message, or one that is there already; null when none came within the time.
  nlohmann::json WaitForLog(const std::string& message, absl::Duration timeout = absl::Seconds(60)) const;
  // Everything that it wrote to standard error.
  std::string ErrorOutput() const;

 private:
  ServerProcess(pid_t pid, int error_pipe);
  void ReadLines(int error_pipe);
  int Reap();

  pid_t pid_;
  std::string address_;
  mutable Mutex mutex_;
  mutable ConditionVariable changed_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread reader_;
};

}  // namespace superpose
