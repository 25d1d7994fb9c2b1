#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"
#include "server/jobs/data_folder.h"

namespace superpose {

// A file to take away, of about so many bytes: `write` writes it in the data folder, then it is mapped and has no name
// any more. STORAGE_FULL; errors of `write` and of MappedFile.
absl::StatusOr<std::shared_ptr<const MappedFile>> MapExport(
    const DataFolder& folder, int64_t bytes, const std::function<absl::Status(const std::string& path)>& write);

}  // namespace superpose
