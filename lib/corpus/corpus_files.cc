#include "lib/corpus/corpus_files.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kKnown = ".txt, .jsonl (either also with .gz or .zst), .npy or .bin";

constexpr std::pair<absl::string_view, CorpusFormat> kEndings[] = {{".txt", CorpusFormat::kText},
                                                                   {".jsonl", CorpusFormat::kJsonLines},
                                                                   {".npy", CorpusFormat::kNpy},
                                                                   {".bin", CorpusFormat::kBin}};

// Folders are left, in name order and with their files in name order.
absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    if (next->path().filename().string().front() == '.') continue;
    paths.push_back(next->path().string());
  }
  if (error) return NotFound(reason::kFileNotFound, "cannot read ", folder, ": ", error.message());
  if (paths.empty()) return InvalidArgument(reason::kEmptyInput, folder, " has no files");
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    if (!fs::is_directory(path, error)) continue;
    return InvalidArgument(reason::kFileUnsupported, path, " is a folder in a folder: name it itself");
  }
  return paths;
}

absl::StatusOr<std::vector<std::string>> PathsOf(const CorpusFiles& files) {
  std::vector<std::string> paths;
  for (const std::string& path : files.paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      paths.push_back(path);
      continue;
    }
    SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> inside, FilesIn(path));
    paths.insert(paths.end(), inside.begin(), inside.end());
  }
  if (paths.empty()) return InvalidArgument(reason::kEmptyInput, "a corpus needs at least one file");
  return paths;
}

// Nothing stands before the ending: a format becomes part of files' names.
bool IsOnlyEnding(const std::string& format) {
  return std::any_of(std::begin(kEndings), std::end(kEndings), [&](const auto& known) {
    absl::string_view rest = format;
    return absl::ConsumePrefix(&rest, known.first) && (rest.empty() || rest == ".gz" || rest == ".zst");
  });
}

// The format that all files are read by, where one is given.
absl::StatusOr<std::optional<CorpusFile>> GivenFormat(const std::string& format) {
  if (format.empty()) return std::nullopt;
  SUPERPOSE_ASSIGN_OR_RETURN(std::optional<CorpusFile> given, ParseEnding(format));
  if (given.has_value() && IsOnlyEnding(format)) return given;
  return InvalidArgument(reason::kConfigInvalid, "format \"", format, "\" must be ", kKnown);
}

absl::StatusOr<CorpusFile> FileAt(const std::string& path, const std::optional<CorpusFile>& given) {
  if (given.has_value()) return CorpusFile{path, given->format, given->compression};
  SUPERPOSE_ASSIGN_OR_RETURN(const std::optional<CorpusFile> file, ParseEnding(path));
  if (file.has_value()) return *file;
  return InvalidArgument(reason::kFileUnsupported, path, " must be ", kKnown);
}

}  // namespace

absl::StatusOr<std::optional<CorpusFile>> ParseEnding(const std::string& path) {
  absl::string_view stem = path;
  CorpusFile file{.path = path};
  if (absl::ConsumeSuffix(&stem, ".gz")) {
    file.compression = Compression::kGzip;
  } else if (absl::ConsumeSuffix(&stem, ".zst")) {
    file.compression = Compression::kZstd;
  }
  for (const auto& [ending, format] : kEndings) {
    if (!absl::ConsumeSuffix(&stem, ending)) continue;
    file.format = format;
    const bool is_text = format == CorpusFormat::kText || format == CorpusFormat::kJsonLines;
    if (is_text || file.compression == Compression::kNone) return file;
    return InvalidArgument(reason::kFileUnsupported, path,
                           " is compressed: token files are mapped into memory, so give them uncompressed");
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<CorpusFile>> ListFiles(const CorpusFiles& files) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::optional<CorpusFile> given, GivenFormat(files.format));
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> paths, PathsOf(files));
  std::vector<CorpusFile> listed;
  for (const std::string& path : paths) {
    SUPERPOSE_ASSIGN_OR_RETURN(CorpusFile file, FileAt(path, given));
    if (!listed.empty() && file.format != listed.front().format) {
      return InvalidArgument(reason::kFileUnsupported, listed.front().path, " and ", path,
                             " are of two kinds: make a corpus of each");
    }
    listed.push_back(std::move(file));
  }
  return listed;
}

}  // namespace superpose
