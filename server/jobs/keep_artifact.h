#pragma once

#include <sqlite3.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/jobs/database.h"

namespace superpose {

// Has an artifact's files written to its folder, and then, in a transaction, its row. Where either fails the folder
// goes again and the error is returned.
absl::Status KeepArtifact(const std::string& folder, Database* database,
                          const std::function<absl::Status()>& write_files,
                          const std::function<absl::Status(sqlite3* connection)>& insert_row);

}  // namespace superpose
