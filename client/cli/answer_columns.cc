#include "client/cli/answer_columns.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "client/cli/tensor_numbers.h"

namespace superpose::cli {
namespace {

bool IsWhole(const client::AnalysisAnswer& answer, const std::string& name) {
  const auto found = answer.tensors.find(name);
  return found != answer.tensors.end() &&
         (found->second.data_type == v1::DATA_TYPE_INT64 || found->second.data_type == v1::DATA_TYPE_INT32);
}

// Ids stand without commas, as they are written in selectors.
bool IsId(const std::string& name) {
  constexpr absl::string_view kIds[] = {"feature", "other_feature", "unit", "factor", "match"};
  return std::find(std::begin(kIds), std::end(kIds), name) != std::end(kIds);
}

int64_t Limited(int64_t count, int64_t limit) { return limit > 0 ? std::min(count, limit) : count; }

std::string FormatValue(const std::string& name, bool whole, double value) {
  if (!whole) return FormatNumber(value);
  return IsId(name) ? absl::StrCat(static_cast<int64_t>(value)) : FormatCount(static_cast<int64_t>(value));
}

}  // namespace

Numbers Find(const client::AnalysisAnswer& answer, const std::string& name) {
  const auto found = answer.tensors.find(name);
  return found == answer.tensors.end() ? Numbers() : NumbersOf(found->second);
}

Rows FirstRows(int64_t count, int64_t limit) {
  Rows rows;
  rows.of = count;
  rows.indices.resize(Limited(count, limit));
  std::iota(rows.indices.begin(), rows.indices.end(), 0);
  return rows;
}

Rows LargestRows(std::vector<int64_t> candidates, const Numbers& values, int64_t limit) {
  const auto key = [&values](int64_t row) { return std::isnan(values[row]) ? -INFINITY : values[row]; };
  const auto before = [&](int64_t a, int64_t b) {
    const bool a_defined = !std::isnan(values[a]), b_defined = !std::isnan(values[b]);
    if (a_defined != b_defined) return a_defined;
    return key(a) != key(b) ? key(a) > key(b) : a < b;
  };
  Rows rows;
  rows.of = static_cast<int64_t>(candidates.size());
  const int64_t kept = Limited(rows.of, limit);
  std::partial_sort(candidates.begin(), candidates.begin() + kept, candidates.end(), before);
  candidates.resize(kept);
  rows.indices = std::move(candidates);
  return rows;
}

std::vector<int64_t> UpTo(size_t count) {
  std::vector<int64_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

Cells CellsOf(const client::AnalysisAnswer& answer, const std::string& name, const Rows& rows) {
  const Numbers numbers = Find(answer, name);
  const bool whole = IsWhole(answer, name);
  Cells cells{name, {}};
  for (const int64_t row : rows.indices) {
    const bool there = row < static_cast<int64_t>(numbers.size());
    cells.values.push_back(there ? FormatValue(name, whole, numbers[row]) : "");
  }
  return cells;
}

Cells Numbered(const std::string& heading, const Rows& rows, int64_t first) {
  Cells cells{heading, {}};
  for (const int64_t row : rows.indices) cells.values.push_back(absl::StrCat(row + first));
  return cells;
}

std::string Render(const std::vector<Cells>& columns, const Rows& rows, int width) {
  std::vector<Column> headings;
  for (const Cells& cells : columns) headings.push_back({cells.heading, true});
  Table table(std::move(headings));
  for (size_t row = 0; row < rows.indices.size(); ++row) {
    std::vector<std::string> line;
    for (const Cells& cells : columns) line.push_back(cells.values[row]);
    table.AddRow(line);
  }
  const auto shown = static_cast<int64_t>(rows.indices.size());
  const std::string rest =
      shown < rows.of ? absl::StrCat(FormatCount(shown), " of ", FormatCount(rows.of), " rows; --limit 0 shows all\n")
                      : "";
  return absl::StrCat(table.Render(width), rest);
}

std::string Columns(const client::AnalysisAnswer& answer, const std::vector<std::string>& names, const Rows& rows,
                    int width) {
  std::vector<Cells> columns;
  for (const std::string& name : names) {
    if (answer.tensors.count(name) > 0) columns.push_back(CellsOf(answer, name, rows));
  }
  return Render(columns, rows, width);
}

std::string AsTheyCame(const client::AnalysisAnswer& answer, const std::vector<std::string>& names, int64_t limit,
                       int width) {
  const auto count = static_cast<int64_t>(Find(answer, names.front()).size());
  return Columns(answer, names, FirstRows(count, limit), width);
}

std::string LargestFirst(const client::AnalysisAnswer& answer, const std::vector<std::string>& names,
                         const std::string& by, int64_t limit, int width) {
  const Numbers values = Find(answer, by);
  return Columns(answer, names, LargestRows(UpTo(values.size()), values, limit), width);
}

}  // namespace superpose::cli
