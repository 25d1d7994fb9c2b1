#include "server/jobs/keep_artifact.h"

#include "server/jobs/folder.h"

namespace superpose {

absl::Status KeepArtifact(const std::string& folder, Database* database,
                          const std::function<absl::Status()>& write_files,
                          const std::function<absl::Status(sqlite3* connection)>& insert_row) {
  absl::Status status = write_files();
  if (status.ok()) status = database->Transact(insert_row);
  if (!status.ok()) RemoveAll(folder).IgnoreError();  // else the sweep at the next start does
  return status;
}

}  // namespace superpose
