// The answers to questions to directions and factorizations as tables.
#pragma once

#include <cstdint>
#include <string>

#include "client/cpp/analysis.h"

namespace superpose::cli {

// The first `limit` rows (0: all), in `width` columns. "" for any other answer.
std::string DirectionTable(const client::AnalysisAnswer& answer, int64_t limit, int width);

}  // namespace superpose::cli
