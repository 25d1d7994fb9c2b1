// Where the program writes, and how wide that is.
#pragma once

#include <ostream>

namespace superpose::cli {

struct Terminal {
  // Results.
  std::ostream& out;
  // Errors and progress.
  std::ostream& err;
  // Columns of `out`: $COLUMNS, or what the terminal says; 0 where there is no limit, as in a file or a pipe.
  int out_width = 0;
  // Columns of `err`; 0 where it is not a terminal.
  int err_width = 0;
};

// Standard output and standard error.
Terminal StandardTerminal();

}  // namespace superpose::cli
