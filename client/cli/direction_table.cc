#include "client/cli/direction_table.h"

#include <utility>
#include <vector>

#include "client/cli/answer_columns.h"

namespace superpose::cli {
namespace {

// Eigenvalues are known by their place.
std::string Placed(const client::AnalysisAnswer& answer, const std::vector<std::string>& names, int64_t limit,
                   int width) {
  const Rows rows = FirstRows(static_cast<int64_t>(Find(answer, names.front()).size()), limit);
  std::vector<Cells> columns = {Numbered("place", rows, 1)};
  for (const std::string& name : names) {
    if (answer.tensors.count(name) > 0) columns.push_back(CellsOf(answer, name, rows));
  }
  return Render(columns, rows, width);
}

// Factors of the first factorization, the best match first.
std::string Matches(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  const Numbers cosines = Find(answer, "cosine");
  const Rows rows = LargestRows(UpTo(cosines.size()), cosines, limit);
  Cells match = CellsOf(answer, "match", rows);
  match.heading = "matches factor";
  return Render({Numbered("factor", rows, 0), std::move(match), CellsOf(answer, "cosine", rows)}, rows, width);
}

}  // namespace

std::string DirectionTable(const client::AnalysisAnswer& answer, int64_t limit, int width) {
  switch (answer.result.spec().analysis_case()) {
    case v1::AnalysisSpec::kGram:
      return LargestFirst(answer,
                          {answer.tensors.count("factor") > 0 ? "factor" : "feature", "neighbors", "neighbor_sum"},
                          "neighbors", limit, width);
    case v1::AnalysisSpec::kSpectrum:
      return Placed(answer, {"eigenvalue", "singular_value", "sign", "residual"}, limit, width);
    case v1::AnalysisSpec::kWhitening:
      return Placed(answer, {"eigenvalue"}, limit, width);
    case v1::AnalysisSpec::kFactorsOfDecoder:
      return AsTheyCame(answer, {"factor", "code", "cosine"}, limit, width);
    case v1::AnalysisSpec::kDecodersOfFactor:
      return AsTheyCame(answer, {"feature", "code", "cosine"}, limit, width);
    case v1::AnalysisSpec::kSharedFactors:
      return AsTheyCame(answer, {"feature", "shared", "overlap", "cosine"}, limit, width);
    case v1::AnalysisSpec::kFactorMatch:
      return Matches(answer, limit, width);
    default:
      return "";
  }
}

}  // namespace superpose::cli
