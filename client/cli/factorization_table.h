// Factorizations as tables.
#pragma once

#include <string>
#include <vector>

#include "client/cli/table.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose::cli {

// A row each.
Table FactorizationTable(const std::vector<v1::Factorization>& factorizations);

// What it is worth: the factors beside k-means centres and principal directions, then what there is to say of the
// factors alone, in `width` columns. "" where it was not measured; figures that are not defined are empty.
std::string QualityReport(const v1::Factorization& factorization, int width);

// How one was made, its quality and its tensors, in `width` columns.
std::string FactorizationReport(const v1::Factorization& factorization, int width);

}  // namespace superpose::cli
