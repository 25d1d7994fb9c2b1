#include "server/jobs/export_file.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/jobs/resource_id.h"

namespace superpose {

absl::StatusOr<std::shared_ptr<const MappedFile>> MapExport(
    const DataFolder& folder, int64_t bytes, const std::function<absl::Status(const std::string& path)>& write) {
  SUPERPOSE_RETURN_IF_ERROR(CheckRoomFor(bytes, folder.path()));
  // The sweep at the next start removes what a crash leaves of it.
  const std::string path = absl::StrCat(folder.path(), "/export-", NewResourceId(), ".tmp");
  SUPERPOSE_RETURN_IF_ERROR(write(path));
  auto mapped = MappedFile::Open(path);
  RemoveAll(path).IgnoreError();
  return mapped;
}

}  // namespace superpose
