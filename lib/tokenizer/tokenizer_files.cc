#include "lib/tokenizer/tokenizer_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kLargestId = 1 << 24;
constexpr char kEndOfText[] = "<|endoftext|>";
constexpr char kGpt2Pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

template <typename... Parts>
absl::Status Unsupported(const Parts&... parts) {
  return FailedPrecondition(reason::kTokenizerUnsupported, parts...);
}

absl::StatusOr<Json> ReadJson(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  bool deep = false;
  auto shallow = [&](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > 32;
    return !deep;
  };
  Json json = Json::parse(file->text().begin(), file->text().end(), shallow, /*allow_exceptions=*/false);
  if (deep || !json.is_object()) return InvalidArgument(reason::kFileCorrupt, path, " is no JSON object");
  return json;
}

bool IsUnset(const Json& object, const char* field) {
  auto found = object.find(field);
  if (found == object.end() || found->is_null()) return true;
  if (found->is_boolean()) return !found->get<bool>();
  if (found->is_string()) return found->get<std::string>().empty();
  return found->is_number() && found->get<double>() == 0;
}

absl::StatusOr<Vocabulary> ParseVocabulary(const Json& json) {
  if (!json.is_object()) return InvalidArgument(reason::kFileCorrupt, "the vocabulary is no object of tokens and ids");
  Vocabulary vocabulary;
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > kLargestId)
      return InvalidArgument(reason::kFileCorrupt, "token \"", token, "\" has no valid id");
    vocabulary[token] = id.get<int32_t>();
  }
  return vocabulary;
}

absl::StatusOr<std::pair<std::string, std::string>> ParseMerge(const Json& merge) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return std::pair(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  std::vector<std::string> parts =
      merge.is_string() ? absl::StrSplit(merge.get<std::string>(), ' ') : std::vector<std::string>();
  if (parts.size() != 2)
    return InvalidArgument(reason::kFileCorrupt,
                           "a merge is not of two tokens: ", merge.dump(-1, ' ', true, Json::error_handler_t::replace));
  return std::pair(parts[0], parts[1]);
}

absl::Status CheckModel(const Json& model) {
  if (!model.is_object() || model.value("type", "BPE") != "BPE") return Unsupported("only the model BPE is supported");
  for (const char* field :
       {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"}) {
    if (!IsUnset(model, field)) return Unsupported("model.", field, " is not supported");
  }
  return absl::OkStatus();
}

// GPT-2's pattern, done by ByteLevel itself or by a Split before it.
absl::Status CheckPreTokenizer(const Json& pre) {
  if (!pre.is_object()) return Unsupported("there must be a pre_tokenizer ByteLevel");
  std::string type = pre.value("type", "");
  if (type == "ByteLevel") {
    if (pre.value("add_prefix_space", false)) return Unsupported("pre_tokenizer.add_prefix_space is not supported");
    return pre.value("use_regex", true) ? absl::OkStatus()
                                        : Unsupported("pre_tokenizer ByteLevel without its pattern is not supported");
  }
  bool split_then_bytes = type == "Sequence" && pre.contains("pretokenizers") && pre["pretokenizers"].is_array() &&
                          pre["pretokenizers"].size() == 2;
  if (split_then_bytes) {
    const Json& split = pre["pretokenizers"][0];
    const Json& bytes = pre["pretokenizers"][1];
    bool gpt2 = split.is_object() && bytes.is_object() && split.value("type", "") == "Split" &&
                split.contains("pattern") && split["pattern"].is_object() &&
                split["pattern"].value("Regex", "") == kGpt2Pattern && split.value("behavior", "") == "Isolated" &&
                !split.value("invert", false) && bytes.value("type", "") == "ByteLevel" &&
                !bytes.value("use_regex", true) && !bytes.value("add_prefix_space", false);
    if (gpt2) return absl::OkStatus();
  }
  return Unsupported("pre_tokenizer ", type, ": only GPT-2's splitting (ByteLevel) is supported");
}

absl::StatusOr<AddedToken> ParseAddedToken(const Json& json) {
  bool complete = json.is_object() && json.contains("id") && json["id"].is_number_unsigned() &&
                  json["id"].get<uint64_t>() <= kLargestId && json.contains("content") && json["content"].is_string() &&
                  !json["content"].get<std::string>().empty();
  if (!complete) return InvalidArgument(reason::kFileCorrupt, "an added token lacks id or content");
  AddedToken token{json["content"].get<std::string>(), json["id"].get<int32_t>(), !IsUnset(json, "special"),
                   !IsUnset(json, "normalized")};
  for (const char* field : {"single_word", "lstrip", "rstrip"}) {
    if (!IsUnset(json, field)) return Unsupported("added token \"", token.text, "\": ", field, " is not supported");
  }
  return token;
}

// Json::value throws when a field has another type than its default: such a file is corrupt.
absl::StatusOr<TokenizerFiles> ParseTokenizerJson(const Json& json) {
  if (!IsUnset(json, "normalizer")) return Unsupported("a normalizer is not supported");
  if (!json.contains("model")) return InvalidArgument(reason::kFileCorrupt, "it has no model");
  const Json& model = json["model"];
  SUPERPOSE_RETURN_IF_ERROR(CheckModel(model));
  SUPERPOSE_RETURN_IF_ERROR(CheckPreTokenizer(json.contains("pre_tokenizer") ? json["pre_tokenizer"] : Json()));
  if (!model.contains("vocab") || !model.contains("merges") || !model["merges"].is_array()) {
    return InvalidArgument(reason::kFileCorrupt, "its model has no vocab or no merges");
  }
  TokenizerFiles files;
  SUPERPOSE_ASSIGN_OR_RETURN(files.vocabulary, ParseVocabulary(model["vocab"]));
  for (const Json& merge : model["merges"]) {
    SUPERPOSE_ASSIGN_OR_RETURN(files.merges.emplace_back(), ParseMerge(merge));
  }
  for (const Json& added : json.value("added_tokens", Json::array())) {
    SUPERPOSE_ASSIGN_OR_RETURN(AddedToken token, ParseAddedToken(added));
    files.vocabulary[token.text] = token.id;
    files.added.push_back(std::move(token));
  }
  return files;
}

absl::StatusOr<TokenizerFiles> ReadTokenizerJson(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(Json json, ReadJson(path));
  try {
    return ParseTokenizerJson(json);
  } catch (const Json::exception& error) {
    return InvalidArgument(reason::kFileCorrupt, error.what());
  }
}

absl::StatusOr<TokenizerFiles> ReadVocabAndMerges(const std::string& vocab_path, const std::string& merges_path) {
  TokenizerFiles files;
  SUPERPOSE_ASSIGN_OR_RETURN(Json vocab, ReadJson(vocab_path));
  SUPERPOSE_ASSIGN_OR_RETURN(files.vocabulary, ParseVocabulary(vocab));
  SUPERPOSE_ASSIGN_OR_RETURN(auto merges, MappedFile::Open(merges_path));
  for (absl::string_view line : absl::StrSplit(merges->text(), '\n')) {
    line = absl::StripSuffix(line, "\r");
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    std::vector<std::string> parts = absl::StrSplit(line, ' ');
    if (parts.size() != 2)
      return InvalidArgument(reason::kFileCorrupt, merges_path, ": a line is not of two tokens: ", line);
    files.merges.emplace_back(parts[0], parts[1]);
  }
  auto end_of_text = files.vocabulary.find(kEndOfText);
  if (end_of_text != files.vocabulary.end())
    files.added.push_back({kEndOfText, end_of_text->second, /*special=*/true, /*normalized=*/false});
  return files;
}

// Tables are as long as the largest id, which one token of a small file must not decide.
absl::Status CheckIds(const Vocabulary& vocabulary) {
  const int64_t largest = 4 * static_cast<int64_t>(vocabulary.size()) + 1024;
  for (const auto& [token, id] : vocabulary) {
    if (id <= largest) continue;
    return InvalidArgument(reason::kFileCorrupt, "token \"", token, "\" has the id ", id, " among only ",
                           vocabulary.size(), " tokens");
  }
  return absl::OkStatus();
}

absl::StatusOr<TokenizerFiles> ReadAnyFiles(const std::string& folder) {
  std::string json = (fs::path(folder) / "tokenizer.json").string();
  std::string vocab = (fs::path(folder) / "vocab.json").string();
  std::string merges = (fs::path(folder) / "merges.txt").string();
  std::error_code unreadable;  // counts as not there
  if (fs::exists(json, unreadable)) {
    auto files = ReadTokenizerJson(json);
    return files.ok() ? files : absl::StatusOr<TokenizerFiles>(WithContext(files.status(), json));
  }
  if (fs::exists(vocab, unreadable) && fs::exists(merges, unreadable)) return ReadVocabAndMerges(vocab, merges);
  return NotFound(reason::kTokenizerMissing, folder, " has no tokenizer.json, and not both vocab.json and merges.txt");
}

}  // namespace

absl::StatusOr<TokenizerFiles> ReadTokenizerFiles(const std::string& folder) {
  SUPERPOSE_ASSIGN_OR_RETURN(TokenizerFiles files, ReadAnyFiles(folder));
  const absl::Status checked = CheckIds(files.vocabulary);
  if (!checked.ok()) return WithContext(checked, folder);
  return files;
}

}  // namespace superpose
