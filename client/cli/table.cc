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

int LineWidth(const std::vector<int>& widths) {
  return std::accumulate(widths.begin(), widths.end(), kGap * (static_cast<int>(widths.size()) - 1));
}

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
  for (int excess = LineWidth(widths) - width; excess > 0; --excess) {
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

std::string Table::Cut(const std::string& cell, size_t column, int width) const {
  return columns_[column].name ? TruncateStart(cell, width) : Truncate(cell, width);
}

std::string Table::RenderRow(const std::vector<std::string>& cells, const std::vector<int>& widths) const {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    std::string cell = Cut(cells[i], i, widths[i]);
    std::string padding(static_cast<size_t>(widths[i] - DisplayWidth(cell)), ' ');
    absl::StrAppend(&line, i == 0 ? "" : std::string(kGap, ' '), columns_[i].number ? padding : "", cell,
                    columns_[i].number ? "" : padding);
  }
  absl::StripTrailingAsciiWhitespace(&line);
  return line + "\n";
}

std::string Table::RenderBlocks(int width) const {
  int heading_width = 0;
  for (const Column& column : columns_) heading_width = std::max(heading_width, DisplayWidth(column.heading));
  std::string text;
  for (const auto& row : rows_) {
    if (!text.empty()) text += '\n';
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string padding(static_cast<size_t>(heading_width + kGap - DisplayWidth(columns_[i].heading)), ' ');
      const int room = std::max(kNarrowest, width - heading_width - kGap);
      const std::string cell = columns_[i].number ? row[i] : Cut(row[i], i, room);
      if (!cell.empty()) absl::StrAppend(&text, columns_[i].heading, padding, cell, "\n");
    }
  }
  return text;
}

std::string Table::Render(int width) const {
  std::vector<int> widths = ColumnWidths(width);
  // Two columns are facts, a line each already.
  if (width > 0 && columns_.size() > 2 && !rows_.empty() && LineWidth(widths) > width) return RenderBlocks(width);
  std::vector<std::string> headings;
  for (const Column& column : columns_) headings.push_back(column.heading);
  std::string text = RenderRow(headings, widths);
  for (const auto& row : rows_) text += RenderRow(row, widths);
  return text;
}

}  // namespace superpose::cli
