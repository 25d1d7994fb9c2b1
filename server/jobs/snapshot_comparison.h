// How snapshots differ, and whether they can be made one.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "superpose/v1/statistics.pb.h"
#include "superpose/v1/statistics_service.pb.h"

namespace superpose {

// The settings that differ, in the order of the fields; what is each snapshot's own (name, hash, tensors, labels, ..)
// left out.
std::vector<v1::SnapshotDifference> DifferencesOf(const v1::Snapshot& snapshot, const v1::Snapshot& other);

// FAILED_PRECONDITION / SNAPSHOT_MISMATCH names the first setting that must be equal and is not, or says why one cannot
// be merged at all (imported, or taken while parameters moved); SNAPSHOTS_OVERLAP names sequences that two counted;
// CONFIG_INVALID for fewer than two.
absl::Status CheckMergeable(const std::vector<v1::Snapshot>& snapshots);

// What the merged one is, but for its tensors, owner and labels.
v1::Snapshot DescribeMerged(const std::vector<v1::Snapshot>& snapshots);

int64_t BytesOfTensors(const v1::Snapshot& snapshot);

}  // namespace superpose
