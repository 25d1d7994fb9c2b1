#include "client/cli/feature_selector.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/arguments.h"
#include "client/cli/enum_option.h"

namespace superpose::cli {
namespace {

constexpr double kLive = -4;

absl::Status BadSelector(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' chooses no features: write 17,23 or 100:200 or band:-3,-2.5 or live:-4"));
}

// "" is no end.
bool ParseEnd(absl::string_view text, std::optional<double>* end) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return true;
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !std::isfinite(value)) return false;
  *end = value;
  return true;
}

// Takes ",snapshot" or ",training" off the end of a band's numbers.
v1::FrequencySource TakeSource(std::vector<absl::string_view>* parts) {
  if (parts->empty()) return v1::FREQUENCY_SOURCE_UNSPECIFIED;
  const auto source = EnumOf<v1::FrequencySource>(absl::StripAsciiWhitespace(parts->back()));
  if (source != v1::FREQUENCY_SOURCE_UNSPECIFIED) parts->pop_back();
  return source;
}

// Takes ",open" off the end of a band's numbers.
bool TakeOpen(std::vector<absl::string_view>* parts) {
  if (parts->empty() || absl::StripAsciiWhitespace(parts->back()) != "open") return false;
  parts->pop_back();
  return true;
}

absl::StatusOr<v1::FeatureSelector> ParseBand(absl::string_view text, absl::string_view numbers) {
  std::vector<absl::string_view> parts = absl::StrSplit(numbers, ',');
  v1::FeatureSelector selector;
  v1::FrequencyBand* band = selector.mutable_band();
  band->set_by(TakeSource(&parts));
  band->set_open(TakeOpen(&parts));
  std::optional<double> low, high;
  if (parts.size() != 2 || !ParseEnd(parts[0], &low) || !ParseEnd(parts[1], &high)) return BadSelector(text);
  if (!low && !high) return BadSelector(text);
  if (low && high && *low >= *high) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is empty: the lower end of a band comes first, as in band:-3,-2.5"));
  }
  if (low) band->set_low(*low);
  if (high) band->set_high(*high);
  return selector;
}

absl::StatusOr<v1::FeatureSelector> ParseLive(absl::string_view text, absl::string_view numbers) {
  std::vector<absl::string_view> parts = absl::StrSplit(numbers, ',', absl::SkipWhitespace());
  v1::FeatureSelector selector;
  v1::FrequencyBand* band = selector.mutable_band();
  band->set_by(TakeSource(&parts));
  std::optional<double> threshold = kLive;
  if (parts.size() > 1 || (parts.size() == 1 && !ParseEnd(parts[0], &threshold))) return BadSelector(text);
  band->set_low(*threshold);
  band->set_open(true);
  return selector;
}

absl::StatusOr<v1::FeatureSelector> ParseRange(absl::string_view text, absl::string_view start_text,
                                               absl::string_view stop_text) {
  int64_t start = 0;
  int64_t stop = 0;
  if (!start_text.empty() && !absl::SimpleAtoi(start_text, &start)) return BadSelector(text);
  if (!absl::SimpleAtoi(stop_text, &stop) || start < 0) return BadSelector(text);
  if (start >= stop) return absl::InvalidArgumentError(absl::StrCat("'", text, "' is empty: no id is in it"));
  v1::FeatureSelector selector;
  selector.mutable_range()->set_start(start);
  selector.mutable_range()->set_stop(stop);
  return selector;
}

absl::StatusOr<v1::FeatureSelector> ParseIdList(absl::string_view text) {
  const absl::StatusOr<std::vector<int32_t>> ids = ParseIds(text);
  const bool sound =
      ids.ok() && !ids->empty() && std::all_of(ids->begin(), ids->end(), [](int32_t id) { return id >= 0; });
  if (!sound) return BadSelector(text);
  v1::FeatureSelector selector;
  selector.mutable_ids()->mutable_values()->Add(ids->begin(), ids->end());
  return selector;
}

}  // namespace

absl::StatusOr<v1::FeatureSelector> ParseFeatures(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  if (absl::ConsumePrefix(&rest, "band:")) return ParseBand(text, rest);
  if (rest == "live") return ParseLive(text, "");
  if (absl::ConsumePrefix(&rest, "live:")) return ParseLive(text, rest);
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, ':');
  if (parts.size() == 2) return ParseRange(text, parts[0], parts[1]);
  return ParseIdList(rest);
}

CLI::Option* AddFeaturesOption(CLI::App* verb, const std::string& name, std::string* text,
                               const std::string& description) {
  return verb->add_option(name, *text, description)->type_name("FEATURES")->check([](const std::string& written) {
    return std::string(ParseFeatures(written).status().message());
  });
}

}  // namespace superpose::cli
