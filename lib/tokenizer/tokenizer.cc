#include "lib/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tokenizer/byte_pair_encoder.h"
#include "lib/tokenizer/gpt2_splitter.h"
#include "lib/tokenizer/tokenizer_files.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {

struct Tokenizer::Impl {
  void Encode(absl::string_view text, bool parse_special, size_t pass, std::vector<int32_t>* ids) const;

  BytePairEncoder encoder;
  std::array<std::vector<AddedToken>, 2> passes;  // added tokens in the order they are looked for, longest first
  std::vector<std::string> token_bytes;           // by id; what each token stands for
};

namespace {

absl::Status CheckUtf8(absl::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    Utf8Step step = NextUtf8(text.substr(offset));
    if (!step.valid) return InvalidArgument(reason::kInvalidUtf8, "the text is not valid UTF-8 at byte ", offset);
    offset += step.length;
  }
  return absl::OkStatus();
}

std::vector<std::string> BytesOfTokens(const TokenizerFiles& files) {
  int32_t largest = -1;
  for (const auto& [token, id] : files.vocabulary) largest = std::max(largest, id);
  std::vector<std::string> bytes(largest + 1);
  for (const auto& [token, id] : files.vocabulary) {
    std::string decoded;
    bytes[id] = BytesOfSpelling(token, &decoded) ? decoded : token;
  }
  for (const AddedToken& token : files.added) bytes[token.id] = token.text;
  return bytes;
}

// The first added token in `text` that may be parsed: leftmost, then longest.
struct Match {
  size_t offset;
  const AddedToken* token;
};

Match FindAdded(const std::vector<AddedToken>& added, absl::string_view text, bool parse_special) {
  Match best{text.size(), nullptr};
  for (const AddedToken& token : added) {
    if (token.special && !parse_special) continue;
    size_t offset = text.find(token.text);
    if (offset < best.offset) best = {offset, &token};
  }
  return best;
}

}  // namespace

// Each pass looks at what the one before has left; words are made of what the last one leaves.
void Tokenizer::Impl::Encode(absl::string_view text, bool parse_special, size_t pass, std::vector<int32_t>* ids) const {
  if (pass == passes.size()) {
    SplitGpt2(text, [&](absl::string_view word) { encoder.Encode(word, ids); });
    return;
  }
  while (!text.empty()) {
    Match match = FindAdded(passes[pass], text, parse_special);
    Encode(text.substr(0, match.offset), parse_special, pass + 1, ids);
    if (match.token == nullptr) return;
    ids->push_back(match.token->id);
    text.remove_prefix(match.offset + match.token->text.size());
  }
}

Tokenizer::Tokenizer() = default;

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Load(const std::string& folder) {
  SUPERPOSE_ASSIGN_OR_RETURN(TokenizerFiles files, ReadTokenizerFiles(folder));
  auto encoder = BytePairEncoder::Create(files.vocabulary, files.merges);
  if (!encoder.ok()) return WithContext(encoder.status(), folder);
  std::stable_sort(files.added.begin(), files.added.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.text.size() > b.text.size(); });
  std::vector<std::string> bytes = BytesOfTokens(files);
  std::array<std::vector<AddedToken>, 2> passes;
  for (AddedToken& token : files.added) passes[token.normalized ? 1 : 0].push_back(std::move(token));
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer());
  tokenizer->impl_ = std::make_shared<Impl>(Impl{*std::move(encoder), std::move(passes), std::move(bytes)});
  return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
}

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(impl_->token_bytes.size()); }

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(absl::string_view text, bool parse_special) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckUtf8(text));
  std::vector<int32_t> ids;
  impl_->Encode(text, parse_special, 0, &ids);
  return ids;
}

absl::StatusOr<std::string> Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string bytes;
  for (int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) {
      return InvalidArgument(reason::kTokenOutOfRange, "token id ", id, " is not in 0 .. ", vocab_size() - 1);
    }
    bytes += impl_->token_bytes[id];
  }
  return ReplaceInvalidUtf8(bytes);
}

absl::StatusOr<std::string> Tokenizer::TokenText(int32_t id) const { return Decode({id}); }

}  // namespace superpose
