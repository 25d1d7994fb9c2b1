#include "client/cli/memory_table.h"

#include "absl/strings/str_cat.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "client/cli/text.h"

namespace superpose::cli {

std::string MemoryReport(const v1::MemoryEstimate& estimate, int64_t snapshot_bytes, int width) {
  Table table({{"memory"}, {"", true}});
  table.AddRow({"peak while it runs", FormatBytes(estimate.peak_bytes())});
  table.AddRow({"available now", FormatBytes(estimate.available_bytes())});
  table.AddRow({"each checkpoint, on the disk", FormatBytes(estimate.checkpoint_bytes())});
  if (snapshot_bytes > 0) table.AddRow({"the snapshots, on the disk", FormatBytes(snapshot_bytes)});
  const std::string advice =
      estimate.advice().empty() ? "" : absl::StrCat("It does not fit now: ", Visible(estimate.advice()), "\n");
  return absl::StrCat(table.Render(width), advice);
}

}  // namespace superpose::cli
