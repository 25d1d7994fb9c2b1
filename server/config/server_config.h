#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "superpose/v1/server_config.pb.h"

namespace superpose {

// Reads the config file (Protobuf text format; schema: proto/superpose/v1/server_config.proto), fills in defaults,
// makes paths absolute from the file's folder and checks every value. Errors: FILE_NOT_FOUND; CONFIG_INVALID with line
// and column, or with the field and what would be right. Whether the model files themselves load is seen by
// ModelRegistry::Load.
absl::StatusOr<v1::ServerConfig> ReadServerConfig(const std::string& path);

// The same for text that was read already; relative paths are taken from `folder`.
absl::StatusOr<v1::ServerConfig> ParseServerConfig(const std::string& text, const std::string& folder);

// The same checks and defaults for what a call asks to load; paths stay as they are.
void FillModelDefaults(v1::ModelEntry* model);
void FillTranscoderDefaults(v1::TranscoderEntry* transcoder);
absl::Status CheckModelEntry(const v1::ModelEntry& model);
absl::Status CheckTranscoderEntry(const v1::TranscoderEntry& transcoder);

}  // namespace superpose
