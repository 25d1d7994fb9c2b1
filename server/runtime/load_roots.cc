#include "server/runtime/load_roots.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

bool LiesIn(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

// With links followed; empty when that fails, as with links in a circle.
fs::path Canonical(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::weakly_canonical(path, error);
  return error ? fs::path() : canonical;
}

bool AllLieIn(const fs::path& path, const std::vector<fs::path>& folders) {
  const auto lies_in_one = [&](const fs::path& one) {
    return std::any_of(folders.begin(), folders.end(), [&](const fs::path& folder) { return LiesIn(one, folder); });
  };
  if (!lies_in_one(path)) return false;
  std::error_code error;
  if (!fs::is_directory(path, error)) return true;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (!lies_in_one(Canonical(entry->path()))) return false;
  }
  return !error;
}

}  // namespace

absl::StatusOr<std::string> LoadRoots::Resolve(const std::string& path) const {
  if (path.empty() || path.find('\0') != std::string::npos)
    return InvalidArgument(reason::kConfigInvalid, "path must name a file or a folder");
  if (roots_.empty()) {
    return Error(absl::StatusCode::kPermissionDenied, reason::kPathNotAllowed,
                 "this server's config opens no folder for loading: its administrator can add model_root: \"/folder\"");
  }
  fs::path wanted = path;
  if (wanted.is_relative()) {
    if (roots_.size() > 1) return NotAllowed(path);
    wanted = fs::path(roots_.front()) / wanted;
  }
  std::vector<fs::path> folders;
  for (const std::string& root : roots_) folders.push_back(Canonical(root));
  folders.erase(std::remove(folders.begin(), folders.end(), fs::path()), folders.end());
  const fs::path canonical = Canonical(wanted);
  if (canonical.empty() || !AllLieIn(canonical, folders)) return NotAllowed(path);
  return canonical.string();
}

absl::Status LoadRoots::NotAllowed(const std::string& path) const {
  return Error(
      absl::StatusCode::kPermissionDenied, reason::kPathNotAllowed,
      absl::StrCat(
          "\"", path,
          "\" does not lie in a folder that this server's config opens for loading, or links out of it; model_root: ",
          absl::StrJoin(roots_, ", ")));
}

}  // namespace superpose
