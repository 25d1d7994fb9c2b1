// The files that a corpus is made of, before they are sent.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace superpose::cli {

// The files of the paths that were given, in order: a folder stands for its files, in name order, those whose names
// begin with a dot left out. NOT_FOUND / FILE_NOT_FOUND; INVALID_ARGUMENT / EMPTY_INPUT for a folder without files.
absl::StatusOr<std::vector<std::string>> ListCorpusFiles(const std::vector<std::string>& paths);

// The ending that says how a corpus of these files is read, the same for all: ".jsonl.gz". INVALID_ARGUMENT /
// FILE_UNSUPPORTED.
absl::StatusOr<std::string> CorpusFormat(const std::vector<std::string>& files);

}  // namespace superpose::cli
