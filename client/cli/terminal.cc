#include "client/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"

namespace superpose::cli {
namespace {

constexpr int kUsualWidth = 80;

// COLUMNS is what a user says, of a pipe too; a terminal knows its own width.
int WidthFromEnvironment() {
  const char* columns = std::getenv("COLUMNS");
  int width = 0;
  return columns != nullptr && absl::SimpleAtoi(columns, &width) && width > 0 ? width : 0;
}

int WidthOf(int file) {
  if (isatty(file) == 0) return 0;
  if (const int width = WidthFromEnvironment(); width > 0) return width;
  winsize size{};
  if (ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsualWidth;
  return size.ws_col;
}

}  // namespace

Terminal StandardTerminal() {
  const int out_width = isatty(STDOUT_FILENO) != 0 ? WidthOf(STDOUT_FILENO) : WidthFromEnvironment();
  return {std::cout, std::cerr, out_width, WidthOf(STDERR_FILENO)};
}

}  // namespace superpose::cli
