#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// Of a description. Lists show it: one import must not make them longer than a message.
inline constexpr int64_t kMostDescriptionBytes = int64_t{64} << 10;

// The descriptor that MetadataOf (artifact_facts.h) put into a file under `key`; fields that this server does not know
// are left out. FILE_UNSUPPORTED when the file is no artifact of that kind, or its description is longer than
// kMostDescriptionBytes; FILE_CORRUPT.
absl::Status ReadDescription(const StringMap& metadata, const std::string& key, google::protobuf::Message* descriptor);

}  // namespace superpose
