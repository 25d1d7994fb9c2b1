#include "lib/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tokenizer/added_token_finder.h"
#include "lib/tokenizer/byte_pair_encoder.h"
#include "lib/tokenizer/gpt2_splitter.h"
#include "lib/tokenizer/tokenizer_files.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {

struct Tokenizer::Impl {
  absl::Status Encode(absl::string_view text, bool parse_special, size_t pass, std::vector<int32_t>* ids) const;

  BytePairEncoder encoder;
  std::array<AddedTokenFinder, 2> passes;  // in the order in which they go over a text
  std::vector<std::string> token_bytes;    // by id; what each token stands for
  size_t longest_token = 0;                // of those
};

namespace {

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

}  // namespace

// Each pass looks at what the one before has left; words are made of what the last one leaves.
absl::Status Tokenizer::Impl::Encode(absl::string_view text, bool parse_special, size_t pass,
                                     std::vector<int32_t>* ids) const {
  if (pass == passes.size()) {
    absl::Status status;
    SplitGpt2(text, [&](absl::string_view word) {
      if (status.ok()) status = encoder.Encode(word, ids);
    });
    return status;
  }
  while (!text.empty()) {
    const AddedTokenFinder::Match match = passes[pass].Find(text, parse_special);
    SUPERPOSE_RETURN_IF_ERROR(Encode(text.substr(0, match.offset), parse_special, pass + 1, ids));
    if (match.token == nullptr) break;
    ids->push_back(match.token->id);
    text.remove_prefix(match.offset + match.token->text.size());
  }
  return absl::OkStatus();
}

Tokenizer::Tokenizer() = default;

absl::StatusOr<std::shared_ptr<const Tokenizer>> Tokenizer::Load(const std::string& folder) {
  SUPERPOSE_ASSIGN_OR_RETURN(TokenizerFiles files, ReadTokenizerFiles(folder));
  auto encoder = BytePairEncoder::Create(files.vocabulary, files.merges);
  if (!encoder.ok()) return WithContext(encoder.status(), folder);
  std::vector<std::string> bytes = BytesOfTokens(files);
  std::array<std::vector<AddedToken>, 2> added;
  for (AddedToken& token : files.added) added[token.normalized ? 1 : 0].push_back(std::move(token));
  std::array<AddedTokenFinder, 2> passes = {AddedTokenFinder(std::move(added[0])),
                                            AddedTokenFinder(std::move(added[1]))};
  size_t longest = 0;
  for (const std::string& token : bytes) longest = std::max(longest, token.size());
  std::shared_ptr<Tokenizer> tokenizer(new Tokenizer());
  tokenizer->impl_ = std::make_shared<Impl>(Impl{*std::move(encoder), std::move(passes), std::move(bytes), longest});
  return std::shared_ptr<const Tokenizer>(std::move(tokenizer));
}

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(impl_->token_bytes.size()); }

int64_t Tokenizer::longest_token_bytes() const { return static_cast<int64_t>(impl_->longest_token); }

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(absl::string_view text, bool parse_special) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckUtf8(text));
  std::vector<int32_t> ids;
  SUPERPOSE_RETURN_IF_ERROR(impl_->Encode(text, parse_special, 0, &ids));
  return ids;
}

size_t Tokenizer::SafeCut(absl::string_view text, size_t least) const {
  for (size_t offset = least; offset < text.size(); ++offset) {
    if (!IsSafeCut(text, offset)) continue;
    const auto is_across = [&](const AddedTokenFinder& finder) { return finder.IsAcross(text, offset); };
    if (std::none_of(impl_->passes.begin(), impl_->passes.end(), is_across)) return offset;
  }
  return text.size();
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
