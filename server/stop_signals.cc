#include "server/stop_signals.h"

#include <pthread.h>
#include <unistd.h>

#include <cstring>

#include "server/telemetry/log.h"

namespace superpose {

// Handled by hand to the last: the kernel spares a container's first process what signals do by themselves.
StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { Run(); });
}

StopSignals::~StopSignals() {
  {
    const MutexLock lock(&mutex_);
    closing_ = true;
  }
  pthread_kill(thread_.native_handle(), SIGINT);
  thread_.join();
}

void StopSignals::Defer() {
  const MutexLock lock(&mutex_);
  deferred_ = true;
}

int StopSignals::Wait() {
  MutexLock lock(&mutex_);
  while (signal_ == 0) changed_.Wait(&mutex_);
  return signal_;
}

void StopSignals::Run() {
  int signal = 0;
  while (sigwait(&signals_, &signal) == 0 && Take(signal)) continue;
}

bool StopSignals::Take(int signal) {
  const MutexLock lock(&mutex_);
  if (closing_) return false;
  if (signal_ != 0) _exit(128 + signal);
  if (!deferred_) {
    Log(LogLevel::kInfo, "stopped while loading", {{"signal", strsignal(signal)}});
    _exit(0);
  }
  signal_ = signal;
  changed_.NotifyAll();
  return true;
}

}  // namespace superpose
