// A job's progress, as a bar on a terminal or as lines elsewhere.
#pragma once

#include <string>

#include "client/cli/terminal.h"
#include "superpose/v1/job.pb.h"

namespace superpose::cli {

// One line of at most `width` columns: "jobs/.. [######......]  50%  500/1,000 steps  loss 0.0123  12s left".
std::string ProgressBar(const v1::Job& job, int width);

// The same without a bar: "jobs/..: running, 500/1,000 steps (50%), loss 0.0123, 12s left".
std::string ProgressLine(const v1::Job& job);

// Shows a job's changes on standard error: on a terminal in one line that is written over; elsewhere a line for every
// new state, start and tenth of the work.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(Terminal* terminal) : terminal_(*terminal) {}
  // Leaves the bar's line.
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void Show(const v1::Job& job);

 private:
  Terminal& terminal_;
  std::string shown_;
};

}  // namespace superpose::cli
