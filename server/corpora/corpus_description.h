#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace superpose {

// What an uploaded corpus was made of: the file corpus.json in its folder.
struct CorpusDescription {
  std::string model;                 // "models/{model}"
  std::string format;                // the ending that its files are read by
  std::vector<std::string> uploads;  // their names, in order
  std::string owner;
  absl::Time create_time;
  std::string token_dtype;  // of .bin files: "uint16" or "uint32"; empty where none was said, which is "uint16"

  // Whether it is made of the same files, read in the same way.
  bool SameContent(const CorpusDescription& other) const {
    return model == other.model && format == other.format && uploads == other.uploads && IsWide() == other.IsWide();
  }
  bool IsWide() const { return token_dtype == "uint32"; }
};

// The files of a corpus of this description, which lie in `folder`, in order: 00000.jsonl, 00001.jsonl, .. An upload
// that stands there twice is one file, read twice.
std::vector<std::string> FilesOf(const CorpusDescription& description, const std::string& folder);

// Written last: a folder without it is no corpus. Errors: those of AtomicFile.
absl::Status WriteDescription(const std::string& folder, const CorpusDescription& description);

// Whether there is one. Errors: those of SystemError (storage_error.h).
absl::StatusOr<bool> HasDescription(const std::string& folder);

// FILE_NOT_FOUND; FILE_CORRUPT.
absl::StatusOr<CorpusDescription> ReadDescription(const std::string& folder);

}  // namespace superpose
