#include "client/cli/format.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/cpp/tensor.h"

namespace superpose::cli {
namespace {

// What a question is put to.
std::string SubjectOf(const v1::AnalysisSpec& spec) {
  switch (spec.analysis_case()) {
    case v1::AnalysisSpec::kGram:
      return FormatDirections(spec.gram().directions());
    case v1::AnalysisSpec::kSpectrum:
      return FormatDirections(spec.spectrum().directions());
    case v1::AnalysisSpec::kWhitening:
      return FormatDirections(spec.whitening().directions());
    case v1::AnalysisSpec::kFactorsOfDecoder:
      return spec.factors_of_decoder().factorization();
    case v1::AnalysisSpec::kDecodersOfFactor:
      return spec.decoders_of_factor().factorization();
    case v1::AnalysisSpec::kSharedFactors:
      return spec.shared_factors().factorization();
    case v1::AnalysisSpec::kFactorMatch:
      return spec.factor_match().factorization();
    default:
      return spec.snapshot();
  }
}

}  // namespace

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  std::string result;
  for (size_t i = 0; i < digits.size(); ++i) {
    bool new_group = i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-';
    if (new_group) result += ',';
    result += digits[i];
  }
  return result;
}

std::string FormatBytes(int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits.at(unit));
}

std::string FormatNumber(double value) { return absl::StrFormat("%.5g", value); }

std::string FormatFigure(const google::protobuf::Map<std::string, double>& figures, const std::string& name) {
  auto found = figures.find(name);
  return found == figures.end() ? "" : FormatNumber(found->second);
}

std::string FormatTime(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::LocalTimeZone());
}

std::string FormatDuration(const google::protobuf::Duration& duration) {
  int64_t seconds = duration.seconds() + (duration.nanos() >= 500'000'000 ? 1 : 0);
  if (seconds < 60) return absl::StrFormat("%ds", seconds);
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  return absl::StrFormat("%dh%02dm", seconds / 3600, seconds % 3600 / 60);
}

std::string FormatState(v1::JobState state) {
  std::string name = v1::JobState_Name(state);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "JOB_STATE_"));
}

std::string FormatProgress(const v1::JobProgress& progress) {
  if (progress.done() == 0 && progress.total() == 0) return "";
  std::string total = progress.total() > 0 ? absl::StrCat("/", FormatCount(progress.total())) : "";
  return absl::StrCat(FormatCount(progress.done()), total, progress.unit().empty() ? "" : " ", progress.unit());
}

std::string FormatDirections(const v1::DirectionSource& directions) {
  if (!directions.factorization().empty()) return directions.factorization();
  return directions.transcoder().empty() ? directions.snapshot() : directions.transcoder();
}

std::string FormatWork(const v1::Job& job) {
  if (job.has_train_midcoder()) return absl::StrCat("train ", absl::StrJoin(job.train_midcoder().transcoders(), ", "));
  if (job.has_evaluate_midcoder()) return absl::StrCat("evaluate ", job.evaluate_midcoder().midcoder());
  if (job.has_collect_statistics()) {
    return absl::StrCat("collect statistics of ", absl::StrJoin(job.collect_statistics().transcoders(), ", "));
  }
  if (job.has_merge_snapshots()) return absl::StrCat("merge ", absl::StrJoin(job.merge_snapshots().snapshots(), ", "));
  if (job.has_factorize_decoders()) {
    return absl::StrCat("factorize ", FormatDirections(job.factorize_decoders().directions()));
  }
  return job.has_analyze_snapshot() ? FormatQuestion(job.analyze_snapshot()) : "";
}

std::string FormatQuestion(const v1::AnalysisSpec& spec) {
  const google::protobuf::FieldDescriptor* kind =
      spec.GetReflection()->GetOneofFieldDescriptor(spec, spec.GetDescriptor()->FindOneofByName("analysis"));
  const std::string what = kind == nullptr ? "analysis" : absl::StrReplaceAll(kind->name(), {{"_", " "}});
  return absl::StrCat(what, " of ", SubjectOf(spec));
}

std::string FormatTensor(const v1::TensorInfo& tensor) {
  return absl::StrCat(client::DataTypeName(tensor.data_type()), " [", absl::StrJoin(tensor.shape(), ", "), "]");
}

}  // namespace superpose::cli
