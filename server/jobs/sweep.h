#pragma once

#include "absl/status/status.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/database.h"

namespace superpose {

// Removes what a server that was killed left behind: temporary files (*.tmp), and the folders under jobs/, midcoders/,
// snapshots/ and factorizations/ that no row of the database needs: those of jobs that have succeeded without an answer
// in their folder or were cancelled, and those that none names. For the start, before anything else writes to the
// folder. FAILED_PRECONDITION / FILE_NOT_FOUND, and nothing is removed, when there are such folders and the database
// has never held a row: it is a new one in the place of theirs. Other errors: those of SystemError and SqlError
// (storage_error.h).
absl::Status Sweep(const DataFolder& folder, Database* database);

}  // namespace superpose
