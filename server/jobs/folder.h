#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace superpose {

// Makes a folder and those above it, durably: after a crash it is there. No error when it is there already. Errors:
// CONFIG_INVALID when something in its path is no folder, and those of SystemError (storage_error.h).
absl::Status MakeFolder(const std::string& path);

// Makes the entries of a folder durable.
absl::Status SyncFolder(const std::string& path);

// That the disk has room for `bytes` more in this folder and some to spare, for the database and for others. Errors:
// RESOURCE_EXHAUSTED / STORAGE_FULL, and those of SystemError.
absl::Status CheckRoomFor(int64_t bytes, const std::string& folder);

// Removes a file, or a folder with all that is in it; links are removed, not followed. No error when there is none.
absl::Status RemoveAll(const std::string& path);

}  // namespace superpose
