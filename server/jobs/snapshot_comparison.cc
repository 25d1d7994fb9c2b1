#include "server/jobs/snapshot_comparison.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/reasons.h"

namespace superpose {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Each snapshot's own.
const std::set<std::string>& OwnFields() {
  static const auto* const fields = new std::set<std::string>(
      {"name", "tensors", "content_hash", "owner", "create_time", "job", "labels", "pause_seconds", "merged_from",
       "automatic", "provenance.self_test", "options.snapshot_every_tokens", "options.keep_last"});
  return *fields;
}

// Beside those, what disjoint parts of one pass may differ in.
const std::set<std::string>& FieldsOfAPart() {
  static const auto* const fields =
      new std::set<std::string>({"tokens", "sequences", "midcoder", "provenance.model", "provenance.transcoder",
                                 "provenance.corpus", "provenance.server_version", "provenance.device"});
  return *fields;
}

// A field that is not set, or has the value that Protobuf's JSON leaves out.
std::string DefaultJson(const FieldDescriptor* field) {
  if (field->is_repeated()) return field->is_map() ? "{}" : "[]";
  if (field->has_presence()) return "null";
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return R"("")";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("\"", field->default_value_enum()->name(), "\"");
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
      return R"("0")";  // as its JSON has all of 64 bits
    default:
      return "0";
  }
}

// One field as JSON, whatever its type: of a message with nothing else in it.
std::string JsonOf(const Message& message, const FieldDescriptor* field) {
  std::unique_ptr<Message> alone(message.New());
  alone->CopyFrom(message);
  std::vector<const FieldDescriptor*> set_fields;
  alone->GetReflection()->ListFields(*alone, &set_fields);
  for (const FieldDescriptor* other : set_fields) {
    if (other != field) alone->GetReflection()->ClearField(alone.get(), other);
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(*alone, &json, options).ok() || json == "{}")
    return DefaultJson(field);
  const size_t start = json.find(':') + 1;
  return json.substr(start, json.size() - start - 1);
}

bool IsPlainMessage(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated() &&
         (field->name() == "provenance" || field->name() == "options");
}

void Compare(const Message& a, const Message& b, const std::string& prefix,
             std::vector<v1::SnapshotDifference>* differences) {
  const google::protobuf::Descriptor& type = *a.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    const std::string path = prefix + field->name();
    if (OwnFields().count(path) > 0) continue;
    if (IsPlainMessage(field)) {
      Compare(a.GetReflection()->GetMessage(a, field), b.GetReflection()->GetMessage(b, field), path + ".",
              differences);
      continue;
    }
    std::string value = JsonOf(a, field), other_value = JsonOf(b, field);
    if (value == other_value) continue;
    v1::SnapshotDifference& difference = differences->emplace_back();
    difference.set_field(path);
    difference.set_value(std::move(value));
    difference.set_other_value(std::move(other_value));
  }
}

absl::Status CheckCanBeAPart(const v1::Snapshot& snapshot) {
  if (!snapshot.moving_parameters() && !snapshot.sequences().empty()) return absl::OkStatus();
  return FailedPrecondition(reason::kSnapshotMismatch, snapshot.name(),
                            snapshot.imported_from().empty() ? " was taken while parameters moved" : " was imported",
                            ": only snapshots of known sequences under parameters that stood still can be merged");
}

absl::Status CheckSameSettings(const v1::Snapshot& snapshot, const v1::Snapshot& other) {
  for (const v1::SnapshotDifference& difference : DifferencesOf(snapshot, other)) {
    if (FieldsOfAPart().count(difference.field()) > 0) continue;
    return FailedPrecondition(reason::kSnapshotMismatch, difference.field(), " is ", difference.value(), " in ",
                              snapshot.name(), " and ", difference.other_value(), " in ", other.name(),
                              ": only snapshots of equal settings can be merged");
  }
  return absl::OkStatus();
}

struct CountedRange {
  int64_t start = 0;
  int64_t stop = 0;
  std::string snapshot;
};

std::vector<CountedRange> RangesOf(const std::vector<v1::Snapshot>& snapshots) {
  std::vector<CountedRange> ranges;
  for (const v1::Snapshot& snapshot : snapshots) {
    for (const v1::IndexRange& range : snapshot.sequences()) {
      ranges.push_back({range.start(), range.stop(), snapshot.name()});
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const CountedRange& a, const CountedRange& b) { return a.start < b.start; });
  return ranges;
}

absl::Status CheckDisjoint(const std::vector<CountedRange>& ranges) {
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].start >= ranges[i - 1].stop) continue;
    return FailedPrecondition(reason::kSnapshotsOverlap, "sequences ", ranges[i].start, " to ",
                              std::min(ranges[i].stop, ranges[i - 1].stop) - 1, " were counted by ",
                              ranges[i - 1].snapshot, " and by ", ranges[i].snapshot,
                              ": merge snapshots of different parts of the corpus");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<v1::SnapshotDifference> DifferencesOf(const v1::Snapshot& snapshot, const v1::Snapshot& other) {
  std::vector<v1::SnapshotDifference> differences;
  Compare(snapshot, other, "", &differences);
  return differences;
}

absl::Status CheckMergeable(const std::vector<v1::Snapshot>& snapshots) {
  if (snapshots.size() < 2) return InvalidArgument(reason::kConfigInvalid, "snapshots: name two or more to merge");
  for (const v1::Snapshot& snapshot : snapshots) {
    SUPERPOSE_RETURN_IF_ERROR(CheckCanBeAPart(snapshot));
    SUPERPOSE_RETURN_IF_ERROR(CheckSameSettings(snapshots.front(), snapshot));
  }
  return CheckDisjoint(RangesOf(snapshots));
}

v1::Snapshot DescribeMerged(const std::vector<v1::Snapshot>& snapshots) {
  v1::Snapshot merged = snapshots.front();
  merged.clear_job();
  merged.clear_labels();
  merged.clear_pause_seconds();
  merged.clear_automatic();
  merged.clear_sequences();
  merged.clear_merged_from();
  int64_t tokens = 0;
  for (const v1::Snapshot& snapshot : snapshots) {
    tokens += snapshot.tokens();
    merged.add_merged_from(snapshot.name());
  }
  merged.set_tokens(tokens);
  for (const CountedRange& range : RangesOf(snapshots)) {
    const int last = merged.sequences_size() - 1;
    if (last >= 0 && merged.sequences(last).stop() == range.start) {
      merged.mutable_sequences(last)->set_stop(range.stop);
      continue;
    }
    v1::IndexRange* added = merged.add_sequences();
    added->set_start(range.start);
    added->set_stop(range.stop);
  }
  return merged;
}

int64_t BytesOfTensors(const v1::Snapshot& snapshot) {
  int64_t bytes = 0;
  for (const v1::TensorInfo& tensor : snapshot.tensors()) {
    int64_t elements = 1;
    for (const int64_t size : tensor.shape()) elements *= size;
    const bool wide = tensor.data_type() == v1::DATA_TYPE_FLOAT64 || tensor.data_type() == v1::DATA_TYPE_INT64;
    bytes += elements * (wide ? 8 : 4);
  }
  return bytes;
}

}  // namespace superpose
