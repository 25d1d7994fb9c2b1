// From v1::Job to what a row of the table `jobs` holds, and back.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/statement.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// The columns that ReadJob reads, to stand behind SELECT.
inline constexpr char kJobColumns[] =
    "name, owner, priority, state, request_id, cancel_requested, attempt, create_time, start_time, end_time, spec, "
    "progress, outcome";

// The job of the row that `row`, a SELECT of kJobColumns, is at. DATA_LOSS / FILE_CORRUPT when a column is no message.
absl::StatusOr<v1::Job> ReadJob(const Statement& row);

// Serialized v1::Job messages with only some of a job's fields: its spec; its progress and metrics; the result or the
// error that its state asks for.
std::string SpecBytes(const v1::Job& job);
std::string ProgressBytes(const v1::Job& job);
std::string OutcomeBytes(v1::JobState state, const v1::Job& job);

// Whether what a job made lies in its own folder, which then stays when it has succeeded: the answer to a question.
inline bool KeepsFiles(const v1::Job& job) { return job.has_analysis(); }

// Equal for two submissions that ask for the same: spec, as sent, and priority.
std::string RequestHash(const v1::Job& job);

// Times are kept as nanoseconds since 1970.
inline int64_t TimeColumn(absl::Time time) { return absl::ToUnixNanos(time); }

}  // namespace superpose
