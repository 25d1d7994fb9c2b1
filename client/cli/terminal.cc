#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

namespace superpose::cli {
namespace {

constexpr int kUsualWidth = 80;

int WidthOf(int file) {
  if (isatty(file) == 0) return 0;
  winsize size{};
  if (ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualWidth;
  return size.ws_col;
}

}  // namespace

Terminal StandardTerminal() { return {std::cout, std::cerr, WidthOf(STDOUT_FILENO), WidthOf(STDERR_FILENO)}; }

}  // namespace superpose::cli
