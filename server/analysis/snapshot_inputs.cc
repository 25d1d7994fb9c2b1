#include "server/analysis/snapshot_inputs.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

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

absl::StatusOr<std::unique_ptr<const SnapshotInputs>> SnapshotInputs::Open(const std::string& snapshot,
                                                                           const std::string& transcoder,
                                                                           const ModelRegistry& registry,
                                                                           SnapshotStore* snapshots) {
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Snapshot facts, snapshots->Get(snapshot));
  SUPERPOSE_ASSIGN_OR_RETURN(
      ModelAndTranscoder loaded,
      registry.FindTranscoderWithModel(transcoder.empty() ? facts.provenance().transcoder() : transcoder));
  SUPERPOSE_RETURN_IF_ERROR(CheckIsTheSame(facts, loaded));
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, snapshots->Open(snapshot));
  std::unique_ptr<SnapshotInputs> inputs(new SnapshotInputs(std::move(facts), std::move(loaded)));
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&] { return inputs->Prepare(file.tensors()); }));
  return inputs;
}

absl::Status SnapshotInputs::Prepare(TensorMap tensors) {
  const Model& model = *loaded_.model->model;
  const StatisticsShape shape{.d_sae = loaded_.transcoder->transcoder->d_sae(),
                              .d_mlp = model.config().d_mlp,
                              .d_model = model.config().d_model};
  TensorMap parameters;
  for (const char* name : {"W_mid", "b_mid", "b_mid_out"}) {
    if (auto node = tensors.extract(name); !node.empty()) parameters.insert(std::move(node));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(data_, SnapshotData::Create(std::move(tensors), shape));
  if (parameters.empty()) return absl::OkStatus();
  const auto weights = parameters.find("W_mid");
  const bool is_wide =
      weights == parameters.end() || weights->second.dim() != 2 || weights->second.size(1) == shape.d_mlp;
  SUPERPOSE_ASSIGN_OR_RETURN(
      midcoder_, Midcoder::FromTensors(is_wide ? MidForm::kDMlp : MidForm::kDModel, MidGate::kRelu, facts_.layer(),
                                       model, shape.d_sae, parameters));
  return absl::OkStatus();
}

AnalysisInputs SnapshotInputs::inputs() const {
  return {.snapshot = &*data_,
          .model = loaded_.model->model.get(),
          .transcoder = loaded_.transcoder->transcoder.get(),
          .layer = facts_.layer(),
          .midcoder = midcoder_.has_value() ? &*midcoder_ : nullptr};
}

}  // namespace superpose
