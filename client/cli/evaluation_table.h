// An evaluation as two tables.
#pragma once

#include "client/cli/table.h"
#include "superpose/v1/midcoder.pb.h"

namespace superpose::cli {

// A row for each thing that the MLP was replaced by: its cross-entropy, loss recovered and KL. Figures that are not
// defined are empty.
Table VariantTable(const v1::MidcoderEvaluation& evaluation);

// The figures that are not in VariantTable, by name.
Table OtherFiguresTable(const v1::MidcoderEvaluation& evaluation);

}  // namespace superpose::cli
