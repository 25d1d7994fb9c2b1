#pragma once

#include <csignal>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "lib/base/mutex.h"

namespace superpose {

// SIGTERM and SIGINT: what they do to the process while this lives. One a process, made before any other thread, which
// then all have these signals blocked.
class StopSignals {
 public:
  // Until Defer() a signal ends the process at once, with exit code 0: there is no work yet that it could harm.
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // From now on the first signal is for Wait(), and a second one ends the process at once with exit code 128 + its
  // number.
  void Defer();
  // Waits for the first signal after Defer() and returns its number.
  int Wait();

 private:
  void Run();
  // False when no more signals are wanted.
  bool Take(int signal);

  sigset_t signals_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool deferred_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  int signal_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace superpose
