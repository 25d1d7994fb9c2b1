#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace superpose {

// What "host:port" (host in numbers) answers to GET of `path`: status line, headers and body as they come.
absl::StatusOr<std::string> HttpGet(const std::string& address, const std::string& path);

}  // namespace superpose
