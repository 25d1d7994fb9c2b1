// Command line arguments as values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cpp/tensor.h"

namespace superpose::cli {

// "jobs", "ab12" -> "jobs/ab12"; a name that has a '/' stays as it is.
std::string FullName(absl::string_view collection, absl::string_view name);

// "1,2,3" or "1 2 3". INVALID_ARGUMENT for anything else.
absl::StatusOr<std::vector<int32_t>> ParseIds(absl::string_view text);

// "90" (seconds), "1.5h", "10m", "500ms"; above 0.
absl::StatusOr<absl::Duration> ParseTimeout(absl::string_view text);

// To check an option with: "" for a whole number of `least` or more, else what is wrong.
std::function<std::string(const std::string& text)> AtLeast(int64_t least);

// As NumPy writes it, a dimension after the other: "0:10", ":", "[3,5,5]", "7" (which keeps its dimension), "0:10,:5".
// The end of a range must be given, but for ":".
absl::StatusOr<std::vector<client::Slice>> ParseSlices(absl::string_view text);

}  // namespace superpose::cli
