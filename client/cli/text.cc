#include "client/cli/text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace superpose::cli {
namespace {

struct Character {
  uint32_t code;
  size_t bytes;
};

// The first character. A byte that begins no valid one stands for itself.
Character FirstOf(absl::string_view text) {
  auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  size_t bytes = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (bytes == 1 || bytes > text.size()) return {lead, 1};
  uint32_t code = lead & (0xff >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 1};
    code = (code << 6) | (byte(i) & 0x3f);
  }
  return {code, bytes};
}

struct Range {
  uint32_t first;
  uint32_t last;
};

constexpr std::array<Range, 6> kCombining = {
    {{0x0300, 0x036f}, {0x1ab0, 0x1aff}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}}};
constexpr std::array<Range, 8> kWide = {{{0x1100, 0x115f},
                                         {0x2e80, 0x303e},
                                         {0x3041, 0xa4cf},
                                         {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},
                                         {0xfe30, 0xfe6f},
                                         {0xff00, 0xff60},
                                         {0x1f300, 0x3fffd}}};

template <typename Ranges>
bool IsIn(const Ranges& ranges, uint32_t code) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [code](Range range) { return code >= range.first && code <= range.last; });
}

int WidthOf(uint32_t code) { return IsIn(kCombining, code) ? 0 : IsIn(kWide, code) ? 2 : 1; }

// C0, DEL and C1: what terminals take as commands. In bytes that are no UTF-8, too.
bool IsControl(uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

std::string Escaped(uint32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return absl::StrFormat("\\x%02x", code);
  }
}

}  // namespace

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) {
    Character character = FirstOf(text);
    width += WidthOf(character.code);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string Truncate(absl::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width <= 0) return "";
  size_t kept = 0;
  int used = 0;
  while (true) {
    Character character = FirstOf(text.substr(kept));
    used += WidthOf(character.code);
    if (used > width - 1) break;
    kept += character.bytes;
  }
  return absl::StrCat(text.substr(0, kept), "…");
}

std::string TruncateStart(absl::string_view text, int width) {
  int excess = DisplayWidth(text) - width;
  if (excess <= 0) return std::string(text);
  if (width <= 0) return "";
  // One column more for the sign; a combining mark goes with the character before it.
  for (++excess; !text.empty() && (excess > 0 || WidthOf(FirstOf(text).code) == 0);) {
    const Character character = FirstOf(text);
    excess -= WidthOf(character.code);
    text.remove_prefix(character.bytes);
  }
  return absl::StrCat("…", text);
}

std::string Visible(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    Character character = FirstOf(text);
    if (IsControl(character.code)) {
      result += Escaped(character.code);
    } else {
      result.append(text.data(), character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return result;
}

}  // namespace superpose::cli
