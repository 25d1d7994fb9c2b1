#include "client/cli/document_reader.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/file_blocks.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

using OnPart = std::function<absl::Status(absl::string_view text, bool begins, int64_t bytes)>;

// A .txt file comes in parts of about this size.
constexpr size_t kPartBytes = size_t{1} << 18;

absl::StatusOr<std::string> TextOf(const std::string& line, const std::string& path, int64_t number) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const auto text = json.is_object() ? json.find("text") : json.end();
  if (text != json.end() && text->is_string()) return text->get<std::string>();
  return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT",
                           absl::StrCat(path, ", line ", number, ": it must be {\"text\": \"..\"}"));
}

absl::Status ReadLines(const std::string& path, FileBlocks* blocks, const OnPart& on_part) {
  int64_t number = 0;
  auto on_line = [&](const std::string& line) -> absl::Status {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) return absl::OkStatus();
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const std::string text, TextOf(line, path, number));
    return on_part(text, /*begins=*/true, blocks->taken());
  };
  std::string line;
  while (true) {
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(absl::string_view block, blocks->Next());
    if (block.empty()) return on_line(line);
    for (size_t end = block.find('\n'); end != absl::string_view::npos; end = block.find('\n')) {
      absl::StrAppend(&line, block.substr(0, end));
      SUPERPOSE_CLIENT_RETURN_IF_ERROR(on_line(line));
      line.clear();
      block.remove_prefix(end + 1);
    }
    absl::StrAppend(&line, block);
  }
}

absl::Status ReadText(FileBlocks* blocks, const OnPart& on_part) {
  std::string text;
  size_t searched = kPartBytes;  // no part ends before
  bool begins = true;
  while (true) {
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const absl::string_view block, blocks->Next());
    if (block.empty()) return text.empty() ? absl::OkStatus() : on_part(text, begins, blocks->taken());
    absl::StrAppend(&text, block);
    for (size_t end = PartEnd(text, searched); end < text.size(); end = PartEnd(text, searched)) {
      SUPERPOSE_CLIENT_RETURN_IF_ERROR(
          on_part(absl::string_view(text).substr(0, end), std::exchange(begins, false), blocks->taken()));
      text.erase(0, end);
      searched = kPartBytes;
    }
    searched = std::max(searched, text.size());
  }
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

absl::Status ReadDocuments(const std::string& path, const OnPart& on_part) {
  absl::string_view name = path;
  if (!absl::ConsumeSuffix(&name, ".gz")) absl::ConsumeSuffix(&name, ".zst");
  const bool lines = absl::EndsWith(name, ".jsonl");
  if (!lines && !absl::EndsWith(name, ".txt")) {
    return client::MakeError(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED",
                             absl::StrCat(path, " must end in .txt or .jsonl, either also with .gz or .zst"));
  }
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(const std::unique_ptr<FileBlocks> blocks, FileBlocks::Open(path));
  return lines ? ReadLines(path, blocks.get(), on_part) : ReadText(blocks.get(), on_part);
}

size_t PartEnd(absl::string_view text, size_t most) {
  for (size_t end = most; end < text.size(); ++end) {
    if (absl::ascii_isspace(static_cast<unsigned char>(text[end])) && !EndsInSpace(text.substr(0, end))) return end;
  }
  return text.size();
}

}  // namespace superpose::cli
