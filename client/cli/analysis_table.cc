#include "client/cli/analysis_table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "client/cli/tensor_numbers.h"
#include "client/cli/text.h"

namespace superpose::cli {
namespace {

using Numbers = std::vector<double>;

constexpr int kLongestBar = 40;

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
Numbers Find(const client::AnalysisAnswer& answer, const std::string& name) {
  const auto found = answer.tensors.find(name);
  return found == answer.tensors.end() ? Numbers() : NumbersOf(found->second);
}

bool IsWhole(const client::AnalysisAnswer& answer, const std::string& name) {
  const auto found = answer.tensors.find(name);
  return found != answer.tensors.end() &&
         (found->second.data_type == v1::DATA_TYPE_INT64 || found->second.data_type == v1::DATA_TYPE_INT32);
}

// Ids stand without commas, as they are written in selectors.
bool IsId(const std::string& name) { return name == "feature" || name == "other_feature" || name == "unit"; }

int64_t Limited(int64_t count, int64_t limit) { return limit > 0 ? std::min(count, limit) : count; }

Rows FirstRows(int64_t count, int64_t limit) {
  Rows rows;
  rows.of = count;
  rows.indices.resize(Limited(count, limit));
  std::iota(rows.indices.begin(), rows.indices.end(), 0);
  return rows;
}

// The candidates with the largest values first; what is not defined comes last, ties in their order.
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

std::string FormatValue(const std::string& name, bool whole, double value) {
  if (!whole) return FormatNumber(value);
  return IsId(name) ? absl::StrCat(static_cast<int64_t>(value)) : FormatCount(static_cast<int64_t>(value));
}

// A row that the tensor does not reach is empty.
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

// Tensors side by side, those that are there, one row an element of the first.
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

// A line a bin, with a bar.
std::string Histogram(const client::AnalysisAnswer& answer, int width) {
  const Numbers counts = Find(answer, "histogram_counts"), edges = Find(answer, "histogram_edges");
  if (edges.size() != counts.size() + 1) return "";
  const double most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  Table table({{"from", true}, {"to", true}, {"entries", true}, {""}});
  for (size_t bin = 0; bin < counts.size(); ++bin) {
    const auto bar = static_cast<size_t>(most > 0 ? counts[bin] / most * kLongestBar : 0);
    table.AddRow({FormatNumber(edges[bin]), FormatNumber(edges[bin + 1]),
                  FormatCount(static_cast<int64_t>(counts[bin])),
                  std::string(std::min<size_t>(bar, kLongestBar), '#')});
  }
  return table.Render(width);
}

bool IsSymmetric(v1::PairQuantity quantity) {
  return quantity != v1::PAIR_QUANTITY_CONDITIONAL && quantity != v1::PAIR_QUANTITY_NOTEBOOK_CORRELATION;
}

// Of a matrix the entries that are pairs: of a symmetric one within a set each once, no feature with itself, and none
// that is not defined.
std::vector<int64_t> PairsOf(const v1::PairsAnalysis& spec, const Numbers& features, const Numbers& others,
                             const Numbers& values) {
  const bool each_once = !spec.has_other_features() && IsSymmetric(spec.quantity());
  std::vector<int64_t> pairs;
  for (size_t i = 0; i < features.size(); ++i) {
    for (size_t j = each_once ? i + 1 : 0; j < others.size(); ++j) {
      const size_t entry = i * others.size() + j;
      if (features[i] != others[j] && !std::isnan(values[entry])) pairs.push_back(static_cast<int64_t>(entry));
    }
  }
  return pairs;
}

std::string Pairs(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  const Numbers features = Find(answer, "feature"), others = Find(answer, "other_feature"),
                values = Find(answer, "values");
  if (values.size() != features.size() * others.size()) return "";
  const Rows rows = LargestRows(PairsOf(answer.result.spec().pairs(), features, others, values), values, limit);
  const auto width_of_row = static_cast<int64_t>(others.size());
  Rows first, second;
  for (const int64_t entry : rows.indices) {
    first.indices.push_back(entry / width_of_row);
    second.indices.push_back(entry % width_of_row);
  }
  Cells feature = CellsOf(answer, "feature", first), other = CellsOf(answer, "other_feature", second);
  Cells value{"value", {}};
  for (const int64_t entry : rows.indices) value.values.push_back(FormatNumber(values[entry]));
  return Render({std::move(feature), std::move(other), std::move(value), CellsOf(answer, "probability", first),
                 CellsOf(answer, "other_probability", second)},
                rows, width);
}

std::string Similarities(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  const Numbers maxima = Find(answer, "row_max"), nearest = Find(answer, "row_argmax"),
                others = Find(answer, "other_feature");
  const Rows rows = LargestRows(UpTo(maxima.size()), maxima, limit);
  Cells feature = CellsOf(answer, "feature", rows), cosine = CellsOf(answer, "row_max", rows);
  cosine.heading = "largest cosine";
  Cells with{"with feature", {}};
  for (const int64_t row : rows.indices) {
    const double index = row < static_cast<int64_t>(nearest.size()) ? nearest[row] : -1;
    const bool there = index >= 0 && index < static_cast<double>(others.size());
    with.values.push_back(there ? absl::StrCat(static_cast<int64_t>(others[static_cast<size_t>(index)])) : "");
  }
  return Render({std::move(feature), std::move(cosine), std::move(with)}, rows, width);
}

std::string Products(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  const auto count = std::max(Find(answer, "products").size(), Find(answer, "observed").size());
  const Rows rows = FirstRows(static_cast<int64_t>(count), limit);
  Cells place{"place", {}};
  for (const int64_t row : rows.indices) place.values.push_back(FormatCount(row + 1));
  return Render({std::move(place), CellsOf(answer, "observed", rows), CellsOf(answer, "products", rows),
                 CellsOf(answer, "pair_products", rows)},
                rows, width);
}

std::string Body(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  switch (answer.result.spec().analysis_case()) {
    case v1::AnalysisSpec::kFeatureUnits:
      return Histogram(answer, width);
    case v1::AnalysisSpec::kPairs:
      return Pairs(answer, limit, width);
    case v1::AnalysisSpec::kDecoderSimilarities:
      return Similarities(answer, limit, width);
    case v1::AnalysisSpec::kFrequencyProducts:
      return Products(answer, limit, width);
    case v1::AnalysisSpec::kPredictedDecoders:
      return LargestFirst(answer, {"feature", "cosine", "norm_ratio", "log10_frequency"}, "cosine", limit, width);
    case v1::AnalysisSpec::kNoiseModel:
      return LargestFirst(answer, {"feature", "cosine", "act_mean", "act_var"}, "cosine", limit, width);
    case v1::AnalysisSpec::kFrequencies:
      return AsTheyCame(answer, {"feature", "rank", "frequency", "log10_frequency", "count"}, limit, width);
    case v1::AnalysisSpec::kCoactive:
      return AsTheyCame(answer, {"feature", "value", "joint_count", "probability", "phi", "lift"}, limit, width);
    case v1::AnalysisSpec::kDecoderNeighbors:
      return AsTheyCame(answer, {"feature", "cosine", "rank"}, limit, width);
    case v1::AnalysisSpec::kRankedUnits:
      return AsTheyCame(answer,
                        {answer.tensors.count("unit") > 0 ? "unit" : "feature", "weight", "w_eff", "gate_probability"},
                        limit, width);
    case v1::AnalysisSpec::kPreActivations:
      return AsTheyCame(answer, {"unit", "mean", "variance"}, limit, width);
    default:
      return "";
  }
}

}  // namespace

std::string AnalysisReport(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  std::string report = Body(answer, limit, width);
  const std::map<std::string, double> figures(answer.result.figures().begin(), answer.result.figures().end());
  for (const auto& [name, value] : figures) absl::StrAppend(&report, Visible(name), " ", FormatNumber(value), "\n");
  if (answer.result.undefined() > 0) {
    absl::StrAppend(&report, FormatCount(answer.result.undefined()), " values are not defined\n");
  }
  return report;
}

}  // namespace superpose::cli
