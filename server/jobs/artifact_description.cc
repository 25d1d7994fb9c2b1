#include "server/jobs/artifact_description.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace superpose {
namespace {

// JSON takes more than the message, most of all for lists of small numbers.
constexpr int64_t kMostJsonBytes = 4 * kMostDescriptionBytes;

absl::Status TooLong(const std::string& key, size_t bytes, int64_t most) {
  return InvalidArgument(reason::kFileUnsupported, "the ", key, "'s description in the file's metadata has ", bytes,
                         " bytes: at most ", most, " are read");
}

}  // namespace

absl::Status ReadDescription(const StringMap& metadata, const std::string& key, google::protobuf::Message* descriptor) {
  const auto format = metadata.find("format");
  const auto json = metadata.find(key);
  if (format == metadata.end() || format->second != absl::StrCat("superpose.", key) || json == metadata.end()) {
    return InvalidArgument(reason::kFileUnsupported, "the safetensors file is no ", key,
                           ": its metadata lack format \"superpose.", key, "\" or the ", key, "'s description");
  }
  if (json->second.size() > static_cast<size_t>(kMostJsonBytes)) {
    return TooLong(key, json->second.size(), kMostJsonBytes);
  }
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(json->second, descriptor, options).ok()) {
    return InvalidArgument(reason::kFileCorrupt, "the ", key, "'s description in the file's metadata cannot be read");
  }
  const size_t bytes = descriptor->ByteSizeLong();
  return bytes > static_cast<size_t>(kMostDescriptionBytes) ? TooLong(key, bytes, kMostDescriptionBytes)
                                                            : absl::OkStatus();
}

}  // namespace superpose
