// The answer of an analysis as a table.
#pragma once

#include <cstdint>
#include <string>

#include "client/cpp/analysis.h"

namespace superpose::cli {

// The first `limit` rows (0: all) in the order that says most, such as the highest cosine first, with what there is
// besides: how many rows there are, single figures, how many values are not defined. In `width` columns.
std::string AnalysisReport(const client::AnalysisAnswer& answer, int64_t limit, int width);

}  // namespace superpose::cli
