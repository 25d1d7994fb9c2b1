#include "server/analysis/snapshot_inputs.h"

#include <ATen/ATen.h>

#include <utility>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/statistics_options.h"

namespace superpose {
namespace {

struct Named {
  const std::string& name;
  const std::string& hash;
};

absl::Status CheckHash(const std::string& snapshot, const Named& loaded, const Named& made_with) {
  if (loaded.hash == made_with.hash) return absl::OkStatus();
  return FailedPrecondition(reason::kSnapshotMismatch, snapshot, " was made with ", made_with.name, " of content hash ",
                            made_with.hash, ", and ", loaded.name, ", which is loaded, has ", loaded.hash);
}

absl::Status CheckIsTheSame(const v1::Snapshot& snapshot, const ModelAndTranscoder& loaded) {
  const v1::Provenance& made_with = snapshot.provenance();
  SUPERPOSE_RETURN_IF_ERROR(CheckHash(snapshot.name(), {loaded.model->name, loaded.model->model->content_hash()},
                                      {made_with.model(), made_with.model_hash()}));
  return CheckHash(snapshot.name(), {loaded.transcoder->name, loaded.transcoder->transcoder->content_hash()},
                   {made_with.transcoder(), made_with.transcoder_hash()});
}

absl::StatusOr<at::Tensor> TakeParameter(const TensorMap& tensors, const std::string& name, at::IntArrayRef shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return InvalidArgument(reason::kTensorMissing, "the snapshot holds parameters of a midcoder, but no ", name);
  }
  if (found->second.sizes() == shape && found->second.is_floating_point()) return found->second;
  return InvalidArgument(reason::kTensorShapeMismatch, name, " of the snapshot is ",
                         at::toString(found->second.scalar_type()), " [", absl::StrJoin(found->second.sizes(), ", "),
                         "]; a floating-point tensor [", absl::StrJoin(shape, ", "), "] is wanted");
}

// The midcoder of these parameters, which stay where they are, mapped: nothing is copied, and no value looked at.
absl::StatusOr<Midcoder> MappedMidcoder(const TensorMap& parameters, int64_t layer, const StatisticsShape& shape) {
  const auto weights = parameters.find("W_mid");
  const bool is_wide =
      weights == parameters.end() || weights->second.dim() != 2 || weights->second.size(1) == shape.d_mlp;
  const int64_t width = is_wide ? shape.d_mlp : shape.d_model;
  MidcoderParameters mapped;
  SUPERPOSE_ASSIGN_OR_RETURN(mapped.W_mid, TakeParameter(parameters, "W_mid", {shape.d_sae, width}));
  SUPERPOSE_ASSIGN_OR_RETURN(mapped.b_mid, TakeParameter(parameters, "b_mid", {width}));
  SUPERPOSE_ASSIGN_OR_RETURN(mapped.b_mid_out, TakeParameter(parameters, "b_mid_out", {shape.d_model}));
  return Midcoder(is_wide ? MidForm::kDMlp : MidForm::kDModel, MidGate::kRelu, layer, std::move(mapped));
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
  SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(facts_.layer()));
  SUPERPOSE_ASSIGN_OR_RETURN(midcoder_, MappedMidcoder(parameters, facts_.layer(), shape));
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
