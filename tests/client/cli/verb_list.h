// Every verb of the program, as its help lists them.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "tests/client/cli/run.h"

namespace superpose::cli {

// The verbs below one, {} for the program itself: {"midcoders", "show"} ..
inline std::vector<std::vector<std::string>> VerbsBelow(const std::vector<std::string>& verb) {
  std::vector<std::string> arguments = verb;
  arguments.emplace_back("--help");
  std::istringstream help(RunProgram(arguments).out);
  std::vector<std::vector<std::string>> verbs;
  bool in_list = false;
  for (std::string line; std::getline(help, line);) {
    if (line == "Verbs:" || line == "Subcommands:") {
      in_list = true;
    } else if (line.empty()) {
      in_list = false;
    } else if (in_list && line.size() > 2 && line[2] != ' ') {
      verbs.push_back(verb);
      verbs.back().push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return verbs;
}

// All of them, with those below others.
inline std::vector<std::vector<std::string>> AllVerbs() {
  std::vector<std::vector<std::string>> all = VerbsBelow({});
  for (size_t i = 0; i < all.size(); ++i) {
    for (std::vector<std::string>& verb : VerbsBelow(all[i])) all.push_back(std::move(verb));
  }
  return all;
}

}  // namespace superpose::cli
