// Tables that fit the terminal.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace superpose::cli {

struct Column {
  std::string heading;
  // Numbers stand at the right and are never cut.
  bool number = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column; control characters are shown, not sent.
  void AddRow(const std::vector<std::string>& cells);
  bool empty() const { return rows_.empty(); }

  // Heading and rows, a line each, columns two spaces apart. Where a line would be longer than `width` (0: no limit),
  // the widest text columns are cut, evenly, down to 4 columns each at the least.
  std::string Render(int width) const;

 private:
  std::vector<int> ColumnWidths(int width) const;
  std::string RenderRow(const std::vector<std::string>& cells, const std::vector<int>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace superpose::cli
