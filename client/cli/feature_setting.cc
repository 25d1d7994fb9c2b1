#include "client/cli/feature_setting.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"

namespace superpose::cli {
namespace {

absl::Status BadSetting(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' sets no feature: write LAYER:FEATURE=VALUE, or LAYER:FEATURE=VALUE@POSITION,.."));
}

absl::StatusOr<std::string> TranscoderOf(absl::string_view text, absl::string_view owner, const std::string& model) {
  if (absl::StrContains(owner, '/')) return std::string(owner);
  int layer = 0;
  if (!absl::SimpleAtoi(owner, &layer) || layer < 0) return BadSetting(text);
  return absl::StrCat(model, "/layers/", layer);
}

}  // namespace

absl::StatusOr<v1::FeatureSetting> ParseSetting(absl::string_view text, const std::string& model) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos) return BadSetting(text);
  const absl::string_view left = text.substr(0, equals), right = text.substr(equals + 1);
  const size_t colon = left.rfind(':'), at = right.find('@');
  if (colon == absl::string_view::npos) return BadSetting(text);
  absl::StatusOr<std::string> transcoder = TranscoderOf(text, left.substr(0, colon), model);
  if (!transcoder.ok()) return transcoder.status();
  v1::FeatureSetting setting;
  setting.set_transcoder(*std::move(transcoder));
  int32_t feature = 0;
  float value = 0;
  if (!absl::SimpleAtoi(left.substr(colon + 1), &feature) || feature < 0) return BadSetting(text);
  if (!absl::SimpleAtof(right.substr(0, at), &value) || !std::isfinite(value) || value < 0) return BadSetting(text);
  setting.set_feature_id(feature);
  setting.set_value(value);
  if (at == absl::string_view::npos) return setting;
  const absl::StatusOr<std::vector<int32_t>> positions = ParseIds(right.substr(at + 1));
  if (!positions.ok() || positions->empty()) return BadSetting(text);
  setting.mutable_positions()->Add(positions->begin(), positions->end());
  return setting;
}

}  // namespace superpose::cli
