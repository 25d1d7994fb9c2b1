// The program `superpose`.
#pragma once

#include <string>
#include <vector>

#include "client/cli/terminal.h"

namespace superpose::cli {

// Runs one command line, without the program's name. Returns the exit code (exit_code.h).
int RunCli(const std::vector<std::string>& arguments, Terminal* terminal);

}  // namespace superpose::cli
