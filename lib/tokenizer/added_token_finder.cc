#include "lib/tokenizer/added_token_finder.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "lib/tokenizer/gpt2_splitter.h"

namespace superpose {

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)), nodes_(1) {
  for (const AddedToken& token : tokens_) Insert(token);
}

void AddedTokenFinder::Insert(const AddedToken& token) {
  begins_token_[static_cast<uint8_t>(token.text.front())] = true;
  int32_t node = 0;
  for (const char c : token.text) {
    const auto [next, is_new] = next_nodes_.try_emplace({node, static_cast<uint8_t>(c)}, nodes_.size());
    if (is_new) nodes_.emplace_back();
    node = next->second;
  }
  Node& end = nodes_[node];
  if (end.any == nullptr) end.any = &token;
  if (end.not_special == nullptr && !token.special) end.not_special = &token;
  for (size_t offset = 1; offset < token.text.size(); ++offset) {
    if (IsSafeCut(token.text, offset)) cuts_.push_back({&token, offset});
  }
}

const AddedToken* AddedTokenFinder::LongestAt(absl::string_view text, bool parse_special) const {
  const AddedToken* longest = nullptr;
  int32_t node = 0;
  for (const char c : text) {
    const auto next = next_nodes_.find({node, static_cast<uint8_t>(c)});
    if (next == next_nodes_.end()) break;
    node = next->second;
    const AddedToken* token = parse_special ? nodes_[node].any : nodes_[node].not_special;
    if (token != nullptr) longest = token;
  }
  return longest;
}

bool AddedTokenFinder::IsAcross(absl::string_view text, size_t offset) const {
  return std::any_of(cuts_.begin(), cuts_.end(), [&](const Cut& cut) {
    return cut.offset <= offset && absl::StartsWith(text.substr(offset - cut.offset), cut.token->text);
  });
}

AddedTokenFinder::Match AddedTokenFinder::Find(absl::string_view text, bool parse_special) const {
  for (size_t offset = 0; offset < text.size(); ++offset) {
    if (!begins_token_[static_cast<uint8_t>(text[offset])]) continue;
    const AddedToken* token = LongestAt(text.substr(offset), parse_special);
    if (token != nullptr) return {offset, token};
  }
  return {text.size(), nullptr};
}

}  // namespace superpose
