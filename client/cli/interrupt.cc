#include "client/cli/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace superpose::cli {
namespace {

// A signal handler may write to a pipe and little else; a thread reads it and does the rest.
std::array<int, 2> wake_pipe = {-1, -1};

constexpr char kInterrupted = 'i';
constexpr char kOver = 'o';

void Wake(char why) { (void)!write(wake_pipe[1], &why, 1); }

void OnSignal(int /*signal*/) {
  int error = errno;
  Wake(kInterrupted);
  errno = error;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  if (pipe2(wake_pipe.data(), O_CLOEXEC) != 0) return;
  waiter_ = std::thread([this] {
    char why = kOver;
    if (read(wake_pipe[0], &why, 1) == 1 && why == kInterrupted) source_.request_stop();
  });
  struct sigaction action{};
  action.sa_handler = OnSignal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, &before_);
}

InterruptGuard::~InterruptGuard() {
  if (!waiter_.joinable()) return;
  sigaction(SIGINT, &before_, nullptr);
  Wake(kOver);
  waiter_.join();
  close(wake_pipe[0]);
  close(wake_pipe[1]);
}

}  // namespace superpose::cli
