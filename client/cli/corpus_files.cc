#include "client/cli/corpus_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kFormats[] = {".jsonl.gz", ".jsonl.zst", ".txt.gz", ".txt.zst",
                                          ".jsonl",    ".txt",       ".npy",    ".bin"};

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    if (next->path().filename().string().front() != '.') files.push_back(next->path().string());
  }
  if (error) {
    return client::MakeError(absl::StatusCode::kNotFound, "FILE_NOT_FOUND",
                             absl::StrCat("cannot read ", folder, ": ", error.message()));
  }
  if (files.empty()) {
    return client::MakeError(absl::StatusCode::kInvalidArgument, "EMPTY_INPUT", absl::StrCat(folder, " has no files"));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListCorpusFiles(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const std::vector<std::string> inside, FilesIn(path));
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

absl::StatusOr<std::string> CorpusFormat(const std::vector<std::string>& files) {
  std::string format;
  for (const std::string& file : files) {
    const auto* found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                     [&](absl::string_view ending) { return absl::EndsWith(file, ending); });
    if (found == std::end(kFormats)) {
      return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED",
                               absl::StrCat(file,
                                            " must end in .txt, .jsonl (either also with .gz or .zst), .npy or "
                                            ".bin"));
    }
    if (!format.empty() && format != *found) {
      return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED",
                               absl::StrCat("the files of a corpus must be of one kind, and these are ", format,
                                            " and ", *found, ": upload one corpus of each"));
    }
    format = std::string(*found);
  }
  return format;
}

}  // namespace superpose::cli
