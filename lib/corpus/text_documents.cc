#include "lib/corpus/text_documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {
namespace {

absl::Status AddDocument(absl::string_view text, const Tokenizer& tokenizer, TextDocuments* documents) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenizer.Encode(text, /*parse_special=*/false));
  documents->ids.insert(documents->ids.end(), ids.begin(), ids.end());
  documents->starts.push_back(static_cast<int64_t>(documents->ids.size()));
  documents->heldout.push_back(IsHeldout(text));
  return absl::OkStatus();
}

absl::Status CheckUtf8(absl::string_view text) {
  for (size_t position = 0; position < text.size();) {
    const Utf8Step step = NextUtf8(text.substr(position));
    if (!step.valid) return InvalidArgument(reason::kInvalidUtf8, "byte ", position, " is not valid UTF-8");
    position += step.length;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TextOf(absl::string_view line) {
  SUPERPOSE_RETURN_IF_ERROR(CheckUtf8(line));
  const nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return InvalidArgument(reason::kFileCorrupt, "not a JSON object");
  const auto text = json.is_object() ? json.find("text") : json.end();
  if (text == json.end() || !text->is_string()) {
    return InvalidArgument(reason::kFileCorrupt, "no string \"text\": a line must be {\"text\": \"..\"}");
  }
  return text->get<std::string>();
}

absl::Status AddLine(absl::string_view line, const Tokenizer& tokenizer, TextDocuments* documents) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string text, TextOf(line));
  return AddDocument(text, tokenizer, documents);
}

absl::StatusOr<TextDocuments> NotEmpty(TextDocuments documents, const std::string& path) {
  if (documents.ids.empty()) return InvalidArgument(reason::kEmptyInput, path, " has no text");
  return documents;
}

}  // namespace

bool IsHeldout(absl::string_view text) { return Sha256Prefix64(text) % 100 < 5; }

absl::StatusOr<TextDocuments> ReadTextFile(const std::string& path, const Tokenizer& tokenizer) {
  SUPERPOSE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  TextDocuments documents;
  SUPERPOSE_RETURN_IF_ERROR(WithContext(AddDocument(file->text(), tokenizer, &documents), path));
  return NotEmpty(std::move(documents), path);
}

absl::StatusOr<TextDocuments> ReadJsonLines(const std::string& path, const Tokenizer& tokenizer) {
  SUPERPOSE_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  TextDocuments documents;
  absl::string_view rest = file->text();
  for (int64_t number = 1; !rest.empty(); ++number) {
    const absl::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    SUPERPOSE_RETURN_IF_ERROR(WithContext(AddLine(line, tokenizer, &documents), absl::StrCat(path, ", line ", number)));
  }
  return NotEmpty(std::move(documents), path);
}

}  // namespace superpose
