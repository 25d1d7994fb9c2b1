#include "client/cli/document_reader.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

using OnDocument = std::function<absl::Status(std::string document, int64_t bytes)>;

absl::StatusOr<std::string> TextOf(const std::string& line, const std::string& path, int64_t number) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const auto text = json.is_object() ? json.find("text") : json.end();
  if (text != json.end() && text->is_string()) return text->get<std::string>();
  return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT",
                           absl::StrCat(path, ", line ", number, ": it must be {\"text\": \"..\"}"));
}

absl::Status ReadLines(const std::string& path, std::ifstream& file, const OnDocument& on_document) {
  std::string line;
  int64_t bytes = 0;
  for (int64_t number = 1; std::getline(file, line); ++number) {
    bytes += static_cast<int64_t>(line.size()) + 1;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(std::string text, TextOf(line, path, number));
    SUPERPOSE_CLIENT_RETURN_IF_ERROR(on_document(std::move(text), bytes));
  }
  return absl::OkStatus();
}

// Whether `text` ends in whitespace as a tokenizer takes it, Unicode's.
bool EndsInSpace(absl::string_view text) {
  if (absl::ascii_isspace(static_cast<unsigned char>(text.back()))) return true;
  // U+0085, U+00A0, U+1680, U+2028, U+2029, U+202F, U+205F, U+3000.
  for (const char* space : {"\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                            "\xE2\x81\x9F", "\xE3\x80\x80"}) {
    if (absl::EndsWith(text, space)) return true;
  }
  // U+2000 .. U+200A.
  return absl::EndsWith(text.substr(0, text.size() - 1), "\xE2\x80") && text.back() >= '\x80' && text.back() <= '\x8A';
}

}  // namespace

absl::Status ReadDocuments(const std::string& path, const OnDocument& on_document) {
  const bool lines = absl::EndsWith(path, ".jsonl");
  if (!lines && !absl::EndsWith(path, ".txt")) {
    return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED",
                             absl::StrCat(path, " must end in .txt or .jsonl"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file || file.peek() == std::ifstream::traits_type::eof()) {
    if (file.is_open() && file.eof()) return absl::OkStatus();  // an empty file
    return client::MakeError(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat("cannot read ", path));
  }
  if (lines) return ReadLines(path, file, on_document);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const int64_t size = static_cast<int64_t>(text.size());
  return on_document(std::move(text), size);
}

size_t PartEnd(absl::string_view text, size_t most) {
  for (size_t end = most; end < text.size(); ++end) {
    if (absl::ascii_isspace(static_cast<unsigned char>(text[end])) && !EndsInSpace(text.substr(0, end))) return end;
  }
  return text.size();
}

}  // namespace superpose::cli
