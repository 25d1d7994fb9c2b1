// Snapshots as tables.
#pragma once

#include <string>
#include <vector>

#include "client/cli/table.h"
#include "superpose/v1/statistics.pb.h"
#include "superpose/v1/statistics_service.pb.h"

namespace superpose::cli {

// A row each.
Table SnapshotTable(const std::vector<v1::Snapshot>& snapshots);

// What one counted, and its tensors, in `width` columns.
std::string SnapshotReport(const v1::Snapshot& snapshot, int width);

// The settings that differ, and whether they can be merged, in `width` columns.
std::string ComparisonReport(const v1::CompareSnapshotsResponse& comparison, int width);

}  // namespace superpose::cli
