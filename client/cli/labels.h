// Labels of what a verb makes: --label stage=early.
#pragma once

#include <CLI/App.hpp>
#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/map.h"

namespace superpose::cli {

using Labels = std::map<std::string, std::string>;

// "stage=early"; the value may have '=' in it, and may be empty. INVALID_ARGUMENT without a '=' or a name.
absl::StatusOr<std::pair<std::string, std::string>> ParseLabel(absl::string_view text);

// --label NAME=VALUE, as often as one likes; `of` says of what in its help: "the snapshots".
void AddLabelOption(CLI::App* verb, const std::string& of, Labels* labels);

// "stage=early, owner=me" in the order of the names.
std::string FormatLabels(const google::protobuf::Map<std::string, std::string>& labels);

}  // namespace superpose::cli
