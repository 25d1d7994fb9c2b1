#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "superpose/v1/prompt_service.pb.h"

namespace superpose::cli {

// "2:17=5.0" sets feature 17 of the only transcoder of layer 2 of `model` ("models/..") to 5.0; "2:17=5.0@3,4" only at
// these positions. A transcoder's name, models/../transcoders/.., may stand in the place of the layer. INVALID_ARGUMENT
// for anything else.
absl::StatusOr<v1::FeatureSetting> ParseSetting(absl::string_view text, const std::string& model);

}  // namespace superpose::cli
