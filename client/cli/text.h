// Text as a terminal shows it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace superpose::cli {

// Columns that UTF-8 text takes: 2 for wide East Asian characters and emoji, 0 for combining marks. Bytes that are no
// UTF-8 take 1 each.
int DisplayWidth(absl::string_view text);

// The text, cut to `width` columns with "…" as the last one where it is longer.
std::string Truncate(absl::string_view text, int width);
// The same with the beginning cut, and "…" as the first column.
std::string TruncateStart(absl::string_view text, int width);

// The text with control characters as \n, \t, \x1b ..: text from a server must not steer the terminal or break a table.
std::string Visible(absl::string_view text);

}  // namespace superpose::cli
