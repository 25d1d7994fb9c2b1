// Runs the program within the test.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "client/cli/cli.h"

namespace superpose::cli {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// As if its standard output had `width` columns; 0 for a pipe.
inline Outcome RunProgram(const std::vector<std::string>& arguments, int width = 0) {
  std::ostringstream out, err;
  Terminal terminal{out, err, width, 0};
  int code = RunCli(arguments, &terminal);
  return {code, out.str(), err.str()};
}

}  // namespace superpose::cli
