// Structured logs: one JSON object a line on standard error.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace superpose {

enum class LogLevel { kInfo, kWarning };

// Log(LogLevel::kInfo, "job finished", {{"job", name}, {"state", "SUCCEEDED"}}). Thread-safe.
void Log(LogLevel level, absl::string_view message,
         std::initializer_list<std::pair<absl::string_view, std::string>> fields = {});

}  // namespace superpose
