#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace superpose {

// What is at `path`, links followed; file_type::not_found where there is nothing. FILE_NOT_FOUND, with the system's
// reason, where that cannot be told (no permission, a name that is too long, a circle of links). Unlike what
// std::filesystem has for it, it never throws.
absl::StatusOr<std::filesystem::file_type> FileTypeOf(const std::string& path);

}  // namespace superpose
