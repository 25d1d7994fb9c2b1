#include <string>
#include <vector>

#include "client/cli/cli.h"
#include "client/cli/terminal.h"

int main(int argc, char** argv) {
  superpose::cli::Terminal terminal = superpose::cli::StandardTerminal();
  return superpose::cli::RunCli(std::vector<std::string>(argv + 1, argv + argc), &terminal);
}
