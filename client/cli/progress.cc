#include "client/cli/progress.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/format.h"
#include "client/cli/text.h"

namespace superpose::cli {
namespace {

constexpr int kLongestBar = 30;
constexpr int kShortestBar = 8;

bool HasTotal(const v1::JobProgress& progress) { return progress.total() > 0; }

double FractionOf(const v1::JobProgress& progress) {
  return std::clamp(static_cast<double>(progress.done()) / static_cast<double>(progress.total()), 0.0, 1.0);
}

// The share that is done, rounded down: 100 only when all is.
int PercentOf(const v1::JobProgress& progress) { return static_cast<int>(FractionOf(progress) * 100); }

std::string Bar(double fraction, int cells) {
  auto full = static_cast<size_t>(fraction * cells);
  return absl::StrCat("[", std::string(full, '#'), std::string(static_cast<size_t>(cells) - full, '.'), "]");
}

// What there is to say beside the progress itself, most important first.
std::vector<std::string> Details(const v1::Job& job) {
  std::vector<std::string> details;
  if (job.cancel_requested()) details.emplace_back("cancelling");
  if (job.state() == v1::JOB_STATE_QUEUED && job.queue_position() > 0) {
    details.push_back(absl::StrCat(job.queue_position(), " before it"));
  }
  if (job.metrics().contains("loss")) details.push_back(absl::StrCat("loss ", FormatFigure(job.metrics(), "loss")));
  if (job.has_time_left()) details.push_back(absl::StrCat(FormatDuration(job.time_left()), " left"));
  if (job.attempt() > 1) details.push_back(absl::StrCat("start ", job.attempt()));
  return details;
}

}  // namespace

std::string ProgressBar(const v1::Job& job, int width) {
  bool running = job.state() == v1::JOB_STATE_RUNNING;
  std::string before = absl::StrCat(job.name(), "  ", running ? "" : FormatState(job.state()));
  std::vector<std::string> after = Details(job);
  std::string progress = FormatProgress(job.progress());
  if (!progress.empty()) after.insert(after.begin(), progress);
  std::string tail = absl::StrCat(after.empty() ? "" : "  ", absl::StrJoin(after, "  "));
  if (!running || !HasTotal(job.progress())) return Truncate(absl::StrCat(before, tail), width);
  tail = absl::StrFormat(" %3d%%%s", PercentOf(job.progress()), tail);
  int room = width - DisplayWidth(before) - DisplayWidth(tail) - 2;
  std::string bar = room < kShortestBar ? "" : Bar(FractionOf(job.progress()), std::min(room, kLongestBar));
  return Truncate(absl::StrCat(before, bar, tail), width);
}

std::string ProgressLine(const v1::Job& job) {
  std::vector<std::string> parts = {FormatState(job.state())};
  std::string progress = FormatProgress(job.progress());
  if (!progress.empty() && HasTotal(job.progress())) absl::StrAppend(&progress, " (", PercentOf(job.progress()), "%)");
  if (!progress.empty()) parts.push_back(progress);
  for (std::string& detail : Details(job)) parts.push_back(std::move(detail));
  return absl::StrCat(job.name(), ": ", absl::StrJoin(parts, ", "));
}

ProgressPrinter::~ProgressPrinter() {
  if (terminal_.err_width > 0 && !shown_.empty()) terminal_.err << "\n" << std::flush;
}

void ProgressPrinter::Show(const v1::Job& job) {
  if (terminal_.err_width > 0) {
    // The last column stays free: some terminals begin a new line after writing in it.
    std::string line = ProgressBar(job, terminal_.err_width - 1);
    if (line == shown_) return;
    terminal_.err << "\r" << line << "\x1b[K" << std::flush;
    shown_ = line;
    return;
  }
  int tenth = HasTotal(job.progress()) ? PercentOf(job.progress()) / 10 : 0;
  std::string stage = absl::StrCat(job.state(), " ", job.attempt(), " ", tenth, " ", job.cancel_requested());
  if (stage == shown_) return;
  terminal_.err << ProgressLine(job) << "\n" << std::flush;
  shown_ = stage;
}

}  // namespace superpose::cli
