#include "client/cli/history_table.h"

#include <cstdint>
#include <string>

#include "client/cli/format.h"

namespace superpose::cli {
namespace {

// A server that is newer or older may leave a column out.
std::string CellOf(const google::protobuf::RepeatedField<double>& column, int row) {
  return row < column.size() ? FormatNumber(column[row]) : "";
}

}  // namespace

std::vector<int> EvenlySpaced(int count, int rows) {
  std::vector<int> indices;
  if (rows <= 0 || rows >= count) {
    for (int i = 0; i < count; ++i) indices.push_back(i);
    return indices;
  }
  if (rows == 1) return {count - 1};
  for (int64_t i = 0; i < rows; ++i) indices.push_back(static_cast<int>(i * (count - 1) / (rows - 1)));
  return indices;
}

Table HistoryTable(const v1::TrainingHistory& history, int rows) {
  Table table({{"step", true},
               {"lr", true},
               {"loss", true},
               {"mse_mid", true},
               {"mse_out", true},
               {"mse_out_transcoder", true}});
  for (int row : EvenlySpaced(history.step_size(), rows)) {
    table.AddRow({FormatCount(history.step(row)), CellOf(history.lr(), row), CellOf(history.loss(), row),
                  CellOf(history.mse_mid(), row), CellOf(history.mse_out(), row),
                  CellOf(history.mse_out_transcoder(), row)});
  }
  return table;
}

}  // namespace superpose::cli
