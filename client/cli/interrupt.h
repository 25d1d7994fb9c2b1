// Ctrl-C as a request to stop.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace superpose::cli {

// While it lives, the first SIGINT requests a stop and a second one ends the program as usual. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  struct sigaction before_{};
  std::thread waiter_;
};

}  // namespace superpose::cli
