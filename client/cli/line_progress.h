// How far something is that is no job: a file on its way, text being tokenized.
#pragma once

#include <cstdint>
#include <string>

#include "client/cli/terminal.h"

namespace superpose::cli {

// Shows progress on standard error: on a terminal in one line that is written over; elsewhere nothing until Done().
class LineProgress {
 public:
  explicit LineProgress(Terminal* terminal) : terminal_(*terminal) {}
  // Leaves the line.
  ~LineProgress();
  LineProgress(const LineProgress&) = delete;
  LineProgress& operator=(const LineProgress&) = delete;

  // "{label}  {percent}  {figure}"; `total` 0 where it is not known: then without percent.
  void Show(const std::string& label, int64_t done, int64_t total, const std::string& figure);
  // The last line, which stays.
  void Done(const std::string& text);

 private:
  void Write(const std::string& line);

  Terminal& terminal_;
  std::string shown_;
};

}  // namespace superpose::cli
