#include "lib/tokenizer/utf8.h"

#include "lib/base/error.h"

namespace superpose {
namespace {

constexpr uint32_t kReplacement = 0xfffd;

// What a lead byte asks for: bytes that follow, and the range of the first of them (Unicode 15, table 3-7).
struct Lead {
  int following;
  uint8_t low;
  uint8_t high;
  uint8_t bits;
};

Lead LeadOf(uint8_t byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return {1, 0x80, 0xbf, static_cast<uint8_t>(byte & 0x1f)};
  if (byte == 0xe0) return {2, 0xa0, 0xbf, 0};
  if (byte == 0xed) return {2, 0x80, 0x9f, 0x0d};
  if (byte >= 0xe1 && byte <= 0xef) return {2, 0x80, 0xbf, static_cast<uint8_t>(byte & 0x0f)};
  if (byte == 0xf0) return {3, 0x90, 0xbf, 0};
  if (byte == 0xf4) return {3, 0x80, 0x8f, 4};
  if (byte >= 0xf1 && byte <= 0xf3) return {3, 0x80, 0xbf, static_cast<uint8_t>(byte & 0x07)};
  return {0, 0, 0, 0};
}

}  // namespace

Utf8Step NextUtf8(absl::string_view text) {
  uint8_t first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return {first, 1, true};
  Lead lead = LeadOf(first);
  if (lead.following == 0) return {0, 1, false};
  uint32_t code_point = lead.bits;
  for (int i = 1; i <= lead.following; ++i) {
    uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xbf;
    uint8_t byte = static_cast<size_t>(i) < text.size() ? static_cast<uint8_t>(text[i]) : 0;
    if (byte < low || byte > high) return {0, i, false};
    code_point = code_point << 6 | (byte & 0x3f);
  }
  return {code_point, lead.following + 1, true};
}

absl::Status CheckUtf8(absl::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    const Utf8Step step = NextUtf8(text.substr(offset));
    if (!step.valid) return InvalidArgument(reason::kInvalidUtf8, "the text is not valid UTF-8 at byte ", offset);
    offset += step.length;
  }
  return absl::OkStatus();
}

void AppendUtf8(uint32_t code_point, std::string* out) {
  auto tail = [&](int shift) { out->push_back(static_cast<char>(0x80 | (code_point >> shift & 0x3f))); };
  if (code_point < 0x80) {
    out->push_back(static_cast<char>(code_point));
  } else if (code_point < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code_point >> 6));
    tail(0);
  } else if (code_point < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | code_point >> 12));
    tail(6);
    tail(0);
  } else {
    out->push_back(static_cast<char>(0xf0 | code_point >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string ReplaceInvalidUtf8(absl::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    Utf8Step step = NextUtf8(bytes);
    if (step.valid) {
      text.append(bytes.data(), step.length);
    } else {
      AppendUtf8(kReplacement, &text);
    }
    bytes.remove_prefix(step.length);
  }
  return text;
}

}  // namespace superpose
