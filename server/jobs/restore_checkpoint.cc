#include "server/jobs/restore_checkpoint.h"

#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// Whether the checkpoint's content is to blame, so that an older one may do. A disk or a memory that fails for a while
// says nothing about it.
bool IsDamage(const absl::Status& status) {
  const std::string why = ReasonOf(status);
  return why == reason::kFileCorrupt || why == reason::kTensorMissing || why == reason::kTensorShapeMismatch ||
         why == reason::kTensorNotFinite;
}

absl::Status RestoreFrom(const std::string& path,
                         const std::function<absl::Status(const SafetensorsFile& file)>& restore) {
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(path));
  return restore(file);
}

}  // namespace

absl::Status RestoreCheckpoint(const CheckpointFiles& checkpoints,
                               const std::function<absl::Status(const SafetensorsFile& file)>& restore) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> paths, checkpoints.NewestFirst());
  for (const std::string& path : paths) {
    const absl::Status restored = RestoreFrom(path, restore);
    if (!IsDamage(restored)) return restored;
    Log(LogLevel::kWarning, "checkpoint passed over", {{"path", path}, {"error", std::string(restored.message())}});
  }
  return absl::OkStatus();
}

}  // namespace superpose
