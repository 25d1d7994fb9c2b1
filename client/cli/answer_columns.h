// Tensors of an analysis as the columns of a table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cpp/analysis.h"

namespace superpose::cli {

using Numbers = std::vector<double>;

// Rows of the answer, best first, and how many there are in all.
struct Rows {
  std::vector<int64_t> indices;
  int64_t of = 0;
};

struct Cells {
  std::string heading;
  std::vector<std::string> values;
};

// A tensor's values; none where the answer has it not.
Numbers Find(const client::AnalysisAnswer& answer, const std::string& name);

std::vector<int64_t> UpTo(size_t count);
// `limit` 0: all of them.
Rows FirstRows(int64_t count, int64_t limit);
// The candidates with the largest values first; what is not defined comes last, ties in their order.
Rows LargestRows(std::vector<int64_t> candidates, const Numbers& values, int64_t limit);

// A row that the tensor does not reach is empty.
Cells CellsOf(const client::AnalysisAnswer& answer, const std::string& name, const Rows& rows);
// The numbers of the rows, from `first` on.
Cells Numbered(const std::string& heading, const Rows& rows, int64_t first);

// With a last line that says how many rows there are where not all are shown.
std::string Render(const std::vector<Cells>& columns, const Rows& rows, int width);
// Tensors side by side, those that are there, one row an element of the first.
std::string Columns(const client::AnalysisAnswer& answer, const std::vector<std::string>& names, const Rows& rows,
                    int width);
std::string AsTheyCame(const client::AnalysisAnswer& answer, const std::vector<std::string>& names, int64_t limit,
                       int width);
// The rows with the largest values of `by` first.
std::string LargestFirst(const client::AnalysisAnswer& answer, const std::vector<std::string>& names,
                         const std::string& by, int64_t limit, int width);

}  // namespace superpose::cli
