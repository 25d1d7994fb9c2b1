#include "client/cli/arguments.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace superpose::cli {
namespace {

using client::Slice;

template <typename Int>
absl::StatusOr<std::vector<Int>> ParseInts(absl::string_view text) {
  std::vector<Int> values;
  for (absl::string_view piece : absl::StrSplit(text, absl::ByAnyChar(", "), absl::SkipWhitespace())) {
    Int value = 0;
    if (!absl::SimpleAtoi(piece, &value))
      return absl::InvalidArgumentError(absl::StrCat("'", piece, "' is not a whole number"));
    values.push_back(value);
  }
  return values;
}

absl::Status BadSlice(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' does not select from a dimension: write START:STOP, :STOP, :, a number, or [I,J,..]"));
}

absl::StatusOr<Slice> ParseRange(absl::string_view text, absl::string_view start_text, absl::string_view stop_text) {
  int64_t start = 0;
  int64_t stop = 0;
  if (start_text.empty() && stop_text.empty()) return Slice();
  if (!start_text.empty() && !absl::SimpleAtoi(start_text, &start)) return BadSlice(text);
  if (!absl::SimpleAtoi(stop_text, &stop)) return BadSlice(text);
  if (start < 0 || stop < start) return BadSlice(text);
  return Slice::Range(start, stop);
}

absl::StatusOr<Slice> ParseSlice(absl::string_view text) {
  absl::string_view list = text;
  if (absl::ConsumePrefix(&list, "[") && absl::ConsumeSuffix(&list, "]")) {
    absl::StatusOr<std::vector<int64_t>> indices = ParseInts<int64_t>(list);
    if (!indices.ok() || indices->empty()) return BadSlice(text);
    return Slice::Indices(*std::move(indices));
  }
  std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  for (absl::string_view& part : parts) part = absl::StripAsciiWhitespace(part);
  if (parts.size() == 2) return ParseRange(text, parts[0], parts[1]);
  int64_t index = 0;
  if (parts.size() != 1 || !absl::SimpleAtoi(parts[0], &index) || index < 0) return BadSlice(text);
  return Slice::Range(index, index + 1);
}

// Splits at commas that are not within brackets.
std::vector<absl::string_view> SplitDimensions(absl::string_view text) {
  std::vector<absl::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (text[i] != ',' || depth > 0) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

}  // namespace

std::string FullName(absl::string_view collection, absl::string_view name) {
  return absl::StrContains(name, '/') ? std::string(name) : absl::StrCat(collection, "/", name);
}

absl::StatusOr<std::vector<int32_t>> ParseIds(absl::string_view text) { return ParseInts<int32_t>(text); }

absl::StatusOr<absl::Duration> ParseTimeout(absl::string_view text) {
  absl::Duration duration;
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is not a time: write 90 (seconds), 10m or 1.5h"));
  }
  if (duration <= absl::ZeroDuration()) return absl::InvalidArgumentError("a timeout is above 0");
  return duration;
}

std::function<std::string(const std::string& text)> AtLeast(int64_t least) {
  return [least](const std::string& text) {
    int64_t value = 0;
    if (absl::SimpleAtoi(text, &value) && value >= least) return std::string();
    return absl::StrCat("'", text, "' is no whole number of ", least, " or more");
  };
}

absl::StatusOr<std::vector<Slice>> ParseSlices(absl::string_view text) {
  std::vector<Slice> slices;
  for (absl::string_view part : SplitDimensions(text)) {
    absl::StatusOr<Slice> slice = ParseSlice(absl::StripAsciiWhitespace(part));
    if (!slice.ok()) return slice.status();
    slices.push_back(*std::move(slice));
  }
  return slices;
}

}  // namespace superpose::cli
