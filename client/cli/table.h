// Tables that fit the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace superpose::cli {

struct Column {
  std::string heading;
  // Numbers stand at the right and are never cut.
  bool number = false;
  // Names of resources lose their beginning where they must be cut: their end tells them apart.
  bool name = false;
};

// A column of names.
inline Column NameColumn(std::string heading) { return {std::move(heading), false, true}; }

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column; control characters are shown, not sent.
  void AddRow(const std::vector<std::string>& cells);
  bool empty() const { return rows_.empty(); }

  // Heading and rows, a line each, columns two spaces apart. Where a line would be longer than `width` (0: no limit),
  // the widest text columns are cut, evenly, down to 4 columns each at the least. Where that is not enough, each row is
  // a block of its own with a line for each column.
  std::string Render(int width) const;

 private:
  std::vector<int> ColumnWidths(int width) const;
  std::string Cut(const std::string& cell, size_t column, int width) const;
  std::string RenderRow(const std::vector<std::string>& cells, const std::vector<int>& widths) const;
  std::string RenderBlocks(int width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace superpose::cli
