#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace superpose {

// Reads a file that holds one JSON object, as the configs beside weights do. FILE_NOT_FOUND; FILE_CORRUPT when it is
// anything else or nested deeper than 32 levels.
absl::StatusOr<nlohmann::json> ReadJsonObject(const std::string& path);

}  // namespace superpose
