#include "server/corpora/corpus_description.h"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/atomic_file.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"
#include "server/jobs/storage_error.h"

namespace superpose {
namespace {

constexpr int kFormatVersion = 1;

std::string PathIn(const std::string& folder) { return folder + "/corpus.json"; }

bool IsText(const nlohmann::json& json, const char* key) { return json.contains(key) && json[key].is_string(); }

// Nothing when it is not of the form that WriteDescription writes.
bool Parse(const nlohmann::json& json, CorpusDescription* description) {
  if (!json.is_object() || json.value("format_version", nlohmann::json()) != kFormatVersion) return false;
  const nlohmann::json uploads = json.value("uploads", nlohmann::json());
  const nlohmann::json time = json.value("create_time", nlohmann::json());
  if (!IsText(json, "model") || !IsText(json, "format") || !IsText(json, "owner")) return false;
  if (!uploads.is_array() || uploads.empty() || !time.is_number_integer()) return false;
  for (const nlohmann::json& upload : uploads) {
    if (!upload.is_string()) return false;
    description->uploads.push_back(upload.get<std::string>());
  }
  description->model = json["model"].get<std::string>();
  description->format = json["format"].get<std::string>();
  description->owner = json["owner"].get<std::string>();
  description->create_time = absl::FromUnixNanos(time.get<int64_t>());
  if (!json.contains("token_dtype")) return true;
  if (!IsText(json, "token_dtype")) return false;
  description->token_dtype = json["token_dtype"].get<std::string>();
  return true;
}

}  // namespace

std::vector<std::string> FilesOf(const CorpusDescription& description, const std::string& folder) {
  std::vector<std::string> files;
  std::map<std::string, std::string> file_of;
  for (const std::string& upload : description.uploads) {
    const std::string next = absl::StrFormat("%s/%05d%s", folder, file_of.size(), description.format);
    files.push_back(file_of.emplace(upload, next).first->second);
  }
  return files;
}

absl::Status WriteDescription(const std::string& folder, const CorpusDescription& description) {
  nlohmann::json json = {
      {"format_version", kFormatVersion}, {"model", description.model},
      {"format", description.format},     {"uploads", description.uploads},
      {"owner", description.owner},       {"create_time", absl::ToUnixNanos(description.create_time)}};
  if (!description.token_dtype.empty()) json["token_dtype"] = description.token_dtype;
  return WriteFileAtomically(PathIn(folder), absl::StrCat(json.dump(2), "\n"));
}

absl::StatusOr<bool> HasDescription(const std::string& folder) {
  std::error_code error;
  const bool there = std::filesystem::exists(PathIn(folder), error);
  if (error) return SystemError(error.value(), absl::StrCat("look for ", PathIn(folder)));
  return there;
}

absl::StatusOr<CorpusDescription> ReadDescription(const std::string& folder) {
  SUPERPOSE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(PathIn(folder)));
  const absl::string_view text = file->text();
  const nlohmann::json json = nlohmann::json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  CorpusDescription description;
  if (Parse(json, &description)) return description;
  return Error(absl::StatusCode::kDataLoss, reason::kFileCorrupt,
               absl::StrCat(file->path(), " is not as this server writes it"));
}

}  // namespace superpose
