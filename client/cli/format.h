// Values as people read them.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "superpose/v1/direction.pb.h"
#include "superpose/v1/job.pb.h"
#include "superpose/v1/tensor.pb.h"

namespace superpose::cli {

// 1,234,567.
std::string FormatCount(int64_t count);
// 1.5 MiB.
std::string FormatBytes(int64_t bytes);
// Five significant digits.
std::string FormatNumber(double value);
// The value of `name` in `figures`, or "" when it is not there.
std::string FormatFigure(const google::protobuf::Map<std::string, double>& figures, const std::string& name);
// "2026-01-31 17:05:09" in local time; "" for a time that is not set.
std::string FormatTime(const google::protobuf::Timestamp& time);
// "45s", "3m12s", "2h05m".
std::string FormatDuration(const google::protobuf::Duration& duration);
// "queued", "running", ..
std::string FormatState(v1::JobState state);
// "420/1,000 steps"; "" while nothing is known.
std::string FormatProgress(const v1::JobProgress& progress);
// "models/-/layers/2", "snapshots/..", "factorizations/..": what directions they are of.
std::string FormatDirections(const v1::DirectionSource& directions);
// "train models/-/layers/2", "evaluate midcoders/..", "factorize models/-/layers/2", ..: what a job does.
std::string FormatWork(const v1::Job& job);
// "predicted decoders of snapshots/..", "spectrum of models/-/layers/2", "factor match of factorizations/..".
std::string FormatQuestion(const v1::AnalysisSpec& spec);
// "float32 [256, 128]".
std::string FormatTensor(const v1::TensorInfo& tensor);

}  // namespace superpose::cli
