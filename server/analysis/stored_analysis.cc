#include "server/analysis/stored_analysis.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/analysis/analysis_subject.h"
#include "server/analysis/direction_subject.h"
#include "server/analysis/factorization_subject.h"
#include "server/analysis/snapshot_subject.h"
#include "server/runtime/tensor_info.h"

namespace superpose {
namespace {

constexpr int64_t kMostUnits = 40;  // of about 50 ms
constexpr int64_t kMostBytes = int64_t{4} << 20;

absl::StatusOr<OpenedAnalysis> OpenQuestion(const AnalysisSources& sources, v1::AnalysisSpec* spec) {
  switch (SubjectOf(*spec)) {
    case AnalysisSubject::kSnapshot:
      return OpenSnapshotQuestion(sources, spec);
    case AnalysisSubject::kDirections:
      return OpenDirectionQuestion(sources, spec);
    case AnalysisSubject::kFactorization:
      return OpenFactorizationQuestion(sources, spec);
    case AnalysisSubject::kNone:
      break;
  }
  return InvalidArgument(reason::kConfigInvalid,
                         "the spec asks for no analysis, or for one that this server does not know: set one of its "
                         "fields, such as frequencies or spectrum");
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoredAnalysis>> StoredAnalysis::Open(v1::AnalysisSpec spec,
                                                                     const AnalysisSources& sources) {
  SUPERPOSE_ASSIGN_OR_RETURN(OpenedAnalysis opened, CatchTorch([&] { return OpenQuestion(sources, &spec); }));
  return std::unique_ptr<StoredAnalysis>(new StoredAnalysis(std::move(spec), std::move(opened)));
}

bool StoredAnalysis::TakesLong() const {
  return opened_.takes_long || units() > kMostUnits || result_bytes() > kMostBytes;
}

int64_t StoredAnalysis::units() const {
  if (opened_.analysis == nullptr) return units_before_ + opened_.preparation->analysis_units();
  return units_before_ + opened_.analysis->units();
}

int64_t StoredAnalysis::result_bytes() const {
  return opened_.analysis == nullptr ? opened_.preparation->result_bytes() : opened_.analysis->result_bytes();
}

bool StoredAnalysis::NextIsLong() const {
  if (units_done_ >= units()) return false;
  if (units_done_ >= units_before_) return opened_.analysis->IsLong(units_done_ - units_before_);
  return units_done_ == units_before_ - 1 && opened_.preparation->MakingIsLong();
}

absl::StatusOr<bool> StoredAnalysis::RunUnit() {
  return CatchTorch([&]() -> absl::StatusOr<bool> {
    if (units_done_ < units_before_) {
      SUPERPOSE_RETURN_IF_ERROR(Prepare());
    } else {
      opened_.analysis->RunUnit(units_done_ - units_before_);
    }
    return ++units_done_ >= units();
  });
}

absl::Status StoredAnalysis::Prepare() {
  if (units_done_ < units_before_ - 1) return opened_.preparation->RunUnit(units_done_);
  SUPERPOSE_ASSIGN_OR_RETURN(opened_.analysis, opened_.preparation->Make());
  opened_.preparation.reset();
  return absl::OkStatus();
}

absl::StatusOr<StoredAnalysis::Answer> StoredAnalysis::Take() {
  return CatchTorch([&]() -> absl::StatusOr<Answer> {
    AnalysisOutput output = opened_.analysis->Take();
    Answer answer;
    *answer.result.mutable_spec() = spec_;
    *answer.result.mutable_provenance() = opened_.provenance;
    answer.result.mutable_figures()->insert(output.figures.begin(), output.figures.end());
    answer.result.set_undefined(output.undefined);
    answer.result.set_tokens(opened_.tokens);
    for (auto& [name, tensor] : output.tensors) {
      tensor = tensor.cpu().contiguous();
      *answer.result.add_tensors()->mutable_info() = DescribeTensor(name, tensor);
      answer.tensors[name] = std::move(tensor);
    }
    return answer;
  });
}

absl::StatusOr<MemoryEstimate> EstimateAnalysis(const v1::AnalysisSpec& spec, const AnalysisSources& sources) {
  if (SubjectOf(spec) == AnalysisSubject::kDirections) {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t peak_bytes, EstimateDirectionQuestion(sources, spec));
    return MemoryEstimate{.peak_bytes = peak_bytes};
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const std::unique_ptr<StoredAnalysis> analysis, StoredAnalysis::Open(spec, sources));
  return MemoryEstimate{.peak_bytes = analysis->peak_bytes()};
}

void Inline(const TensorMap& tensors, v1::AnalysisResult* result) {
  for (v1::ResultTensor& tensor : *result->mutable_tensors()) {
    const at::Tensor& values = tensors.at(tensor.info().name());
    tensor.set_data(values.const_data_ptr(), values.nbytes());
  }
}

}  // namespace superpose
