#include "client/cli/table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/text.h"

namespace superpose::cli {
namespace {

constexpr int kGap = 2;
constexpr int kNarrowest = 4;

}  // namespace

void Table::AddRow(const std::vector<std::string>& cells) {
  std::vector<std::string>& row = rows_.emplace_back();
  for (const std::string& cell : cells) row.push_back(Visible(cell));
  row.resize(columns_.size());
}

std::vector<int> Table::ColumnWidths(int width) const {
  std::vector<int> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(DisplayWidth(columns_[i].heading));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  if (width <= 0 || widths.empty()) return widths;
  int excess = std::accumulate(widths.begin(), widths.end(), kGap * (static_cast<int>(widths.size()) - 1)) - width;
  for (; excess > 0; --excess) {
    int* widest = nullptr;
    for (size_t i = 0; i < widths.size(); ++i) {
      if (!columns_[i].number && widths[i] > kNarrowest && (widest == nullptr || widths[i] > *widest))
        widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

std::string Table::RenderRow(const std::vector<std::string>& cells, const std::vector<int>& widths) const {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    std::string cell = Truncate(cells[i], widths[i]);
    std::string padding(static_cast<size_t>(widths[i] - DisplayWidth(cell)), ' ');
    absl::StrAppend(&line, i == 0 ? "" : std::string(kGap, ' '), columns_[i].number ? padding : "", cell,
                    columns_[i].number ? "" : padding);
  }
  absl::StripTrailingAsciiWhitespace(&line);
  return line + "\n";
}

std::string Table::Render(int width) const {
  std::vector<int> widths = ColumnWidths(width);
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  std::string text = RenderRow(headings, widths);
  for (const auto& row : rows_) text += RenderRow(row, widths);
  return text;
}

}  // namespace superpose::cli
