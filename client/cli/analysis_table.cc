#include "client/cli/analysis_table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/answer_columns.h"
#include "client/cli/direction_table.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace superpose::cli {
namespace {

constexpr int kLongestBar = 40;

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
      return DirectionTable(answer, limit, width);
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
