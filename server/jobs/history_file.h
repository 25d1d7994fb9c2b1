// A job's losses, step by step, in a file that only grows: 16 bytes of header ("SPHISTRY", uint32 version, uint32
// record size), then records of 56 bytes: int64 step, int32 layer, int32 variant, float64 lr, loss, mse_mid, mse_out,
// mse_out_transcoder. Everything little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/midcoder/trainer.h"

namespace superpose {

// One writer at a time; readers at any time. A last record that a crash cut short counts as not written. Errors:
// STORAGE_FULL, STORAGE_READ_ONLY, STORAGE_FAILED; FILE_CORRUPT (DATA_LOSS) when it is no such file; FILE_UNSUPPORTED
// when a newer version wrote it.
class HistoryFile {
 public:
  // The file need not be there: it is made by the first Append, in a folder that exists, and reads as empty until then.
  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  // Adds records, in ascending order of steps. Durable when it returns; where it fails, the file is cut back to what it
  // was, if that can be done.
  absl::Status Append(const std::vector<StepLoss>& records);
  // Removes the records of the steps after `step`: those that a run repeats when it resumes from that step. Durable
  // when it returns.
  absl::Status TruncateAfter(int64_t step);
  // At most `count` records, without the first `skip`; fewer, or none, at the end.
  absl::StatusOr<std::vector<StepLoss>> Read(int64_t skip, int64_t count) const;

 private:
  const std::string path_;
};

}  // namespace superpose
