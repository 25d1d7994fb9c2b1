#include "client/cli/line_progress.h"

#include "absl/strings/str_cat.h"
#include "client/cli/text.h"

namespace superpose::cli {

LineProgress::~LineProgress() {
  if (!shown_.empty()) terminal_.err << "\n" << std::flush;
}

void LineProgress::Show(const std::string& label, int64_t done, int64_t total, const std::string& figure) {
  if (terminal_.err_width == 0) return;
  const std::string percent =
      total > 0 ? absl::StrCat(static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total)), "%  ")
                : "";
  Write(absl::StrCat(Visible(label), "  ", percent, figure));
}

void LineProgress::Done(const std::string& text) {
  if (terminal_.err_width == 0) {
    terminal_.err << Visible(text) << "\n" << std::flush;
    return;
  }
  Write(Visible(text));
  terminal_.err << "\n" << std::flush;
  shown_.clear();
}

void LineProgress::Write(const std::string& line) {
  // The last column stays free: some terminals begin a new line after writing in it.
  const std::string cut = Truncate(line, terminal_.err_width - 1);
  if (cut == shown_) return;
  terminal_.err << "\r" << cut << "\x1b[K" << std::flush;
  shown_ = cut;
}

}  // namespace superpose::cli
