#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace superpose {

// The folders that LoadModel and LoadTranscoder may read from.
class LoadRoots {
 public:
  // Absolute paths.
  explicit LoadRoots(std::vector<std::string> roots) : roots_(std::move(roots)) {}

  // The path without "..", links followed, once that is known to lie in one of the roots; so must be what the files of
  // a folder link to. A relative path is taken from the only root. PERMISSION_DENIED / PATH_NOT_ALLOWED, which says the
  // same whether there is such a file or not. Blocks on disk.
  absl::StatusOr<std::string> Resolve(const std::string& path) const;

 private:
  absl::Status NotAllowed(const std::string& path) const;

  const std::vector<std::string> roots_;
};

}  // namespace superpose
