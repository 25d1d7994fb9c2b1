#include "server/jobs/job_rows.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/time_util.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/sha256.h"

namespace superpose {
namespace {

using google::protobuf::util::TimeUtil;

// The same bytes for the same message.
std::string Serialize(const v1::Job& job) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    job.SerializeToCodedStream(&coded);
  }
  return bytes;
}

// Of a job, only what a oneof holds.
v1::Job Only(const std::string& oneof, const v1::Job& job) {
  v1::Job part;
  const google::protobuf::Reflection& reflection = *job.GetReflection();
  const google::protobuf::FieldDescriptor* field =
      reflection.GetOneofFieldDescriptor(job, job.GetDescriptor()->FindOneofByName(oneof));
  if (field != nullptr) reflection.MutableMessage(&part, field)->CopyFrom(reflection.GetMessage(job, field));
  return part;
}

v1::Job SpecOf(const v1::Job& job) { return Only("spec", job); }

v1::Job ResultOf(const v1::Job& job) { return Only("result", job); }

}  // namespace

absl::StatusOr<v1::Job> ReadJob(const Statement& row) {
  v1::Job job;
  job.set_name(row.Text(0));
  job.set_owner(row.Text(1));
  job.set_priority(static_cast<int32_t>(row.Int(2)));
  job.set_state(static_cast<v1::JobState>(row.Int(3)));
  job.set_request_id(row.Text(4));
  job.set_cancel_requested(row.Int(5) != 0);
  job.set_attempt(static_cast<int32_t>(row.Int(6)));
  *job.mutable_create_time() = TimeUtil::NanosecondsToTimestamp(row.Int(7));
  if (!row.IsNull(8)) *job.mutable_start_time() = TimeUtil::NanosecondsToTimestamp(row.Int(8));
  if (!row.IsNull(9)) *job.mutable_end_time() = TimeUtil::NanosecondsToTimestamp(row.Int(9));
  for (const int column : {10, 11, 12}) {
    if (!job.MergeFromString(row.Text(column))) {
      return Error(absl::StatusCode::kDataLoss, reason::kFileCorrupt,
                   absl::StrCat("the database's row of ", row.Text(0), " cannot be read"));
    }
  }
  return job;
}

std::string SpecBytes(const v1::Job& job) { return Serialize(SpecOf(job)); }

std::string ProgressBytes(const v1::Job& job) {
  v1::Job part;
  if (job.has_progress()) *part.mutable_progress() = job.progress();
  *part.mutable_metrics() = job.metrics();
  return Serialize(part);
}

std::string OutcomeBytes(v1::JobState state, const v1::Job& job) {
  v1::Job part;
  if (state == v1::JOB_STATE_SUCCEEDED) part = ResultOf(job);
  if (state == v1::JOB_STATE_FAILED) *part.mutable_error() = job.error();
  return Serialize(part);
}

std::string RequestHash(const v1::Job& job) {
  v1::Job request = SpecOf(job);
  request.set_priority(job.priority());
  return Sha256Hex(Serialize(request));
}

}  // namespace superpose
