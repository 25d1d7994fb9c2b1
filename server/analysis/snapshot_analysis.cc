#include "server/analysis/snapshot_analysis.h"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/analysis/analysis_query.h"
#include "server/runtime/tensor_info.h"

namespace superpose {
namespace {

constexpr int64_t kMostUnits = 40;  // of about 50 ms
constexpr int64_t kMostBytes = int64_t{4} << 20;

absl::Status CheckHash(const std::string& snapshot, const std::string& name, const std::string& hash,
                       const std::string& made_with) {
  if (hash == made_with) return absl::OkStatus();
  return FailedPrecondition(reason::kSnapshotMismatch, snapshot, " was made with ", name, " of content hash ",
                            made_with, ", and the one that is loaded has ", hash, ": load that one again");
}

absl::Status CheckIsTheSame(const v1::Snapshot& snapshot, const ModelAndTranscoder& loaded) {
  const v1::Provenance& made_with = snapshot.provenance();
  SUPERPOSE_RETURN_IF_ERROR(
      CheckHash(snapshot.name(), loaded.model->name, loaded.model->model->content_hash(), made_with.model_hash()));
  return CheckHash(snapshot.name(), loaded.transcoder->name, loaded.transcoder->transcoder->content_hash(),
                   made_with.transcoder_hash());
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotAnalysis>> SnapshotAnalysis::Open(v1::AnalysisSpec spec,
                                                                         const ModelRegistry& registry,
                                                                         SnapshotStore* snapshots) {
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Snapshot snapshot, snapshots->Get(spec.snapshot()));
  SUPERPOSE_ASSIGN_OR_RETURN(ModelAndTranscoder loaded,
                             registry.FindTranscoderWithModel(snapshot.provenance().transcoder()));
  SUPERPOSE_RETURN_IF_ERROR(CheckIsTheSame(snapshot, loaded));
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, snapshots->Open(spec.snapshot()));
  std::unique_ptr<SnapshotAnalysis> analysis(
      new SnapshotAnalysis(std::move(spec), std::move(snapshot), std::move(loaded)));
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&] { return analysis->Prepare(file.tensors()); }));
  return analysis;
}

absl::Status SnapshotAnalysis::Prepare(TensorMap tensors) {
  const Model& model = *loaded_.model->model;
  const Transcoder& transcoder = *loaded_.transcoder->transcoder;
  const StatisticsShape shape{
      .d_sae = transcoder.d_sae(), .d_mlp = model.config().d_mlp, .d_model = model.config().d_model};
  TensorMap parameters;
  for (const char* name : {"W_mid", "b_mid", "b_mid_out"}) {
    if (auto node = tensors.extract(name); !node.empty()) parameters.insert(std::move(node));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(data_, SnapshotData::Create(std::move(tensors), shape));
  if (!parameters.empty()) {
    const auto weights = parameters.find("W_mid");
    const bool is_wide =
        weights == parameters.end() || weights->second.dim() != 2 || weights->second.size(1) == shape.d_mlp;
    SUPERPOSE_ASSIGN_OR_RETURN(
        midcoder_, Midcoder::FromTensors(is_wide ? MidForm::kDMlp : MidForm::kDModel, MidGate::kRelu, snapshot_.layer(),
                                         model, shape.d_sae, parameters));
  }
  const AnalysisInputs inputs{.snapshot = &*data_,
                              .model = &model,
                              .transcoder = &transcoder,
                              .layer = snapshot_.layer(),
                              .midcoder = midcoder_.has_value() ? &*midcoder_ : nullptr};
  SUPERPOSE_ASSIGN_OR_RETURN(analysis_, MakeAnalysis(inputs, &spec_));
  return absl::OkStatus();
}

bool SnapshotAnalysis::TakesLong() const { return units() > kMostUnits || result_bytes() > kMostBytes; }

absl::StatusOr<bool> SnapshotAnalysis::RunUnit() {
  return CatchTorch([&]() -> absl::StatusOr<bool> {
    analysis_->RunUnit(units_done_);
    return ++units_done_ == units();
  });
}

absl::StatusOr<SnapshotAnalysis::Answer> SnapshotAnalysis::Take() {
  return CatchTorch([&]() -> absl::StatusOr<Answer> {
    AnalysisOutput output = analysis_->Take();
    Answer answer;
    *answer.result.mutable_spec() = spec_;
    *answer.result.mutable_provenance() = snapshot_.provenance();
    answer.result.mutable_figures()->insert(output.figures.begin(), output.figures.end());
    answer.result.set_undefined(output.undefined);
    answer.result.set_tokens(snapshot_.tokens());
    for (auto& [name, tensor] : output.tensors) {
      tensor = tensor.cpu().contiguous();
      *answer.result.add_tensors()->mutable_info() = DescribeTensor(name, tensor);
      answer.tensors[name] = std::move(tensor);
    }
    return answer;
  });
}

void Inline(const TensorMap& tensors, v1::AnalysisResult* result) {
  for (v1::ResultTensor& tensor : *result->mutable_tensors()) {
    const at::Tensor& values = tensors.at(tensor.info().name());
    tensor.set_data(values.const_data_ptr(), values.nbytes());
  }
}

}  // namespace superpose
