// What every artifact's file and descriptor say.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "lib/base/error.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/content_hash.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/resource_id.h"
#include "server/runtime/reasons.h"
#include "server/runtime/tensor_info.h"

namespace superpose {

// The whole descriptor as JSON under `key`, with format "superpose.{key}", for the metadata of a file.
inline absl::StatusOr<StringMap> MetadataOf(const google::protobuf::Message& descriptor, const std::string& key) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(descriptor, &json, options);
  if (!printed.ok()) {
    return InternalError(reason::kStorageFailed, "the facts of a ", key, " cannot be written as JSON");
  }
  return StringMap{{"format", absl::StrCat("superpose.", key)}, {"format_version", "1"}, {key, std::move(json)}};
}

// Fills in name ("{collection}/{new id}"), create_time, tensors and content_hash.
template <typename Descriptor>
absl::Status DescribeArtifact(const std::string& collection, const TensorMap& tensors, absl::Time now,
                              Descriptor* descriptor) {
  descriptor->set_name(absl::StrCat(collection, "/", NewResourceId()));
  *descriptor->mutable_create_time() = google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(now));
  descriptor->clear_tensors();
  for (const auto& [name, tensor] : tensors) *descriptor->add_tensors() = DescribeTensor(name, tensor);
  return CatchTorch([&] {
    descriptor->set_content_hash(ContentHash(tensors));
    return absl::OkStatus();
  });
}

}  // namespace superpose
