#include "lib/corpus/text_documents.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/corpus/byte_blocks.h"
#include "lib/corpus/line_reader.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {
namespace {

// Of a document that are tokenized at once.
constexpr size_t kPartBytes = size_t{1} << 20;

using IsCancelled = std::function<bool()>;

absl::Status CheckCancelled(const IsCancelled& is_cancelled) {
  if (is_cancelled == nullptr || !is_cancelled()) return absl::OkStatus();
  return absl::CancelledError("reading the corpus was cancelled");
}

// Part by part, so that it can be cancelled and takes little memory but for the ids.
absl::Status AddIds(absl::string_view text, const Tokenizer& tokenizer, const IsCancelled& is_cancelled,
                    std::vector<int32_t>* ids) {
  while (!text.empty()) {
    SUPERPOSE_RETURN_IF_ERROR(CheckCancelled(is_cancelled));
    const absl::string_view part = text.substr(0, tokenizer.SafeCut(text, kPartBytes));
    SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<int32_t> of_part, tokenizer.Encode(part, /*parse_special=*/false));
    ids->insert(ids->end(), of_part.begin(), of_part.end());
    text.remove_prefix(part.size());
  }
  return absl::OkStatus();
}

absl::Status AddDocument(absl::string_view text, const Tokenizer& tokenizer, const IsCancelled& is_cancelled,
                         TextDocuments* documents) {
  const absl::Status added = AddIds(text, tokenizer, is_cancelled, &documents->ids);
  // Which byte of the whole text, not of a part.
  if (ReasonOf(added) == reason::kInvalidUtf8) return CheckUtf8(text);
  SUPERPOSE_RETURN_IF_ERROR(added);
  documents->starts.push_back(static_cast<int64_t>(documents->ids.size()));
  documents->heldout.push_back(IsHeldout(text));
  return absl::OkStatus();
}

absl::StatusOr<std::string> TextOf(absl::string_view line) {
  SUPERPOSE_RETURN_IF_ERROR(CheckUtf8(line));
  // Nothing is kept of what is no text, however large or deeply nested it is.
  using Event = nlohmann::json::parse_event_t;
  const auto is_wanted = [](int depth, Event event, const nlohmann::json& parsed) {
    if (event == Event::key) return depth != 1 || parsed == "text";
    return event != Event::array_start;
  };
  const nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), is_wanted, /*allow_exceptions=*/false);
  if (json.is_discarded()) return InvalidArgument(reason::kFileCorrupt, "not a JSON object");
  const auto text = json.is_object() ? json.find("text") : json.end();
  if (text == json.end() || !text->is_string()) {
    return InvalidArgument(reason::kFileCorrupt, "no string \"text\": a line must be {\"text\": \"..\"}");
  }
  return text->get<std::string>();
}

absl::Status AddLine(absl::string_view line, const Tokenizer& tokenizer, const IsCancelled& is_cancelled,
                     TextDocuments* documents) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::string text, TextOf(line));
  return AddDocument(text, tokenizer, is_cancelled, documents);
}

absl::Status AddLines(const CorpusFile& file, ByteBlocks* blocks, const Tokenizer& tokenizer,
                      const IsCancelled& is_cancelled, TextDocuments* documents) {
  LineReader lines(blocks);
  for (int64_t number = 1;; ++number) {
    SUPERPOSE_RETURN_IF_ERROR(CheckCancelled(is_cancelled));
    const auto line = lines.Next();
    if (!line.ok()) return WithContext(line.status(), file.path);
    if (!line->has_value()) return absl::OkStatus();
    if (absl::StripAsciiWhitespace(**line).empty()) continue;
    SUPERPOSE_RETURN_IF_ERROR(
        WithContext(AddLine(**line, tokenizer, is_cancelled, documents), absl::StrCat(file.path, ", line ", number)));
  }
}

// A file that is not compressed is one block, which is used where it lies; else all blocks are put into `whole`.
absl::StatusOr<absl::string_view> WholeText(const CorpusFile& file, ByteBlocks* blocks, const IsCancelled& is_cancelled,
                                            std::string* whole) {
  if (file.compression == Compression::kNone) return blocks->Next();
  while (true) {
    SUPERPOSE_RETURN_IF_ERROR(CheckCancelled(is_cancelled));
    SUPERPOSE_ASSIGN_OR_RETURN(const absl::string_view block, blocks->Next());
    if (block.empty()) return *whole;
    whole->append(block.data(), block.size());
    if (static_cast<int64_t>(whole->size()) > kMostDocumentBytes) {
      return InvalidArgument(reason::kFileUnsupported, file.path, " has more than ", kMostDocumentBytes,
                             " bytes of text: split it");
    }
  }
}

}  // namespace

bool IsHeldout(absl::string_view text) { return Sha256Prefix64(text) % 100 < 5; }

absl::Status AddDocuments(const CorpusFile& file, const Tokenizer& tokenizer, const std::function<bool()>& is_cancelled,
                          TextDocuments* documents) {
  SUPERPOSE_ASSIGN_OR_RETURN(const auto blocks, ByteBlocks::Open(file.path, file.compression));
  if (file.format == CorpusFormat::kJsonLines) return AddLines(file, blocks.get(), tokenizer, is_cancelled, documents);
  std::string whole;
  SUPERPOSE_ASSIGN_OR_RETURN(const absl::string_view text, WholeText(file, blocks.get(), is_cancelled, &whole));
  return WithContext(AddDocument(text, tokenizer, is_cancelled, documents), file.path);
}

}  // namespace superpose
