#include "tests/support/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

// In the child of a fork of a process with threads: only what is async-signal-safe.
[[noreturn]] void BecomeServer(const char* config, int error_pipe, pid_t parent) {
  // It does not outlive a test that crashes.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  dup2(error_pipe, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execl(SUPERPOSE_SERVER, SUPERPOSE_SERVER, "--config", config, static_cast<char*>(nullptr));
  _exit(127);
}

nlohmann::json ParseLine(const std::string& line) {
  return nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Launch(const std::filesystem::path& config) {
  std::array<int, 2> error_pipe{};
  if (pipe2(error_pipe.data(), O_CLOEXEC) != 0) return absl::InternalError("no pipe");
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid == 0) BecomeServer(config.c_str(), error_pipe[1], parent);
  close(error_pipe[1]);
  if (pid < 0) {
    close(error_pipe[0]);
    return absl::InternalError("no process");
  }
  return std::unique_ptr<ServerProcess>(new ServerProcess(pid, error_pipe[0]));
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::filesystem::path& config) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<ServerProcess> server, Launch(config));
  nlohmann::json listening = server->WaitForLog("listening");
  if (!listening.is_object() || !listening.contains("address")) {
    server->Kill();
    return absl::UnavailableError(absl::StrCat("the server did not begin to listen:\n", server->ErrorOutput()));
  }
  server->address_ = listening["address"].get<std::string>();
  return server;
}

ServerProcess::ServerProcess(pid_t pid, int error_pipe)
    : pid_(pid), reader_([this, error_pipe] { ReadLines(error_pipe); }) {}

ServerProcess::~ServerProcess() { Kill(); }

void ServerProcess::ReadLines(int error_pipe) {
  FILE* stream = fdopen(error_pipe, "r");
  char* line = nullptr;
  size_t capacity = 0;
  ssize_t length = 0;
  while ((length = getline(&line, &capacity, stream)) > 0) {
    MutexLock lock(&mutex_);
    lines_.emplace_back(line, static_cast<size_t>(length));
    changed_.NotifyAll();
  }
  free(line);
  fclose(stream);
  MutexLock lock(&mutex_);
  ended_ = true;
  changed_.NotifyAll();
}

int ServerProcess::Reap() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = 0;
  reader_.join();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void ServerProcess::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  Reap();
}

int ServerProcess::Terminate() {
  kill(pid_, SIGTERM);
  return Reap();
}

std::vector<nlohmann::json> ServerProcess::LogLines() const {
  MutexLock lock(&mutex_);
  std::vector<nlohmann::json> objects;
  for (const std::string& line : lines_) {
    nlohmann::json object = ParseLine(line);
    if (object.is_object()) objects.push_back(std::move(object));
  }
  return objects;
}

nlohmann::json ServerProcess::WaitForLog(const std::string& message, absl::Duration timeout) const {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(&mutex_);
  size_t seen = 0;
  while (true) {
    for (; seen < lines_.size(); ++seen) {
      nlohmann::json object = ParseLine(lines_[seen]);
      if (object.is_object() && object.value("message", "") == message) return object;
    }
    absl::Duration left = deadline - absl::Now();
    if (ended_ || left <= absl::ZeroDuration()) return nullptr;
    changed_.WaitFor(&mutex_, absl::ToChronoNanoseconds(left));
  }
}

std::string ServerProcess::ErrorOutput() const {
  MutexLock lock(&mutex_);
  return absl::StrJoin(lines_, "");
}

}  // namespace superpose
