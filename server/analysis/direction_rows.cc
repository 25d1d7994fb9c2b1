#include "server/analysis/direction_rows.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>
#include <variant>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/frequency_order.h"
#include "lib/statistics/analysis/gathered_decoders.h"
#include "lib/statistics/analysis/ranking.h"
#include "lib/tensor_io/check_tensor.h"
#include "server/analysis/decoder_choice.h"
#include "server/analysis/snapshot_inputs.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/feature_selectors.h"

namespace superpose {
namespace {

// Decoders that a source names.
struct ChosenDecoders {
  std::unique_ptr<const SnapshotInputs> snapshot;  // null where none takes part
  ModelAndTranscoder loaded;
  DecoderChoice choice;
  at::Tensor ids;    // int64 [n]
  at::Tensor ranks;  // int64 [n]

  const Transcoder& transcoder() const { return *loaded.transcoder->transcoder; }
  const SnapshotData* data() const { return snapshot == nullptr ? nullptr : &snapshot->data(); }
  AnalysisInputs inputs() const {
    if (snapshot != nullptr) return snapshot->inputs();
    return {.snapshot = nullptr,
            .model = loaded.model->model.get(),
            .transcoder = &transcoder(),
            .layer = loaded.transcoder->layer,
            .midcoder = nullptr};
  }
};

absl::Status CheckNamesEnough(const v1::DirectionSource& source) {
  if (source.top() < 0) {
    return InvalidArgument(reason::kConfigInvalid, "top is ", source.top(), ", but must not be negative");
  }
  if (source.kind() == v1::DECODER_KIND_PREDICTED && source.snapshot().empty()) {
    return InvalidArgument(reason::kConfigInvalid, "predicted decoders are asked for, but no snapshot is named that ",
                           "predicts them");
  }
  if (!source.transcoder().empty() || !source.snapshot().empty()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "directions are of nothing: name a transcoder, a snapshot or a ",
                         "factorization");
}

absl::Status CheckIsAlone(const v1::DirectionSource& source) {
  v1::DirectionSource rest = source;
  rest.clear_factorization();
  if (rest.ByteSizeLong() == 0) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "directions are the factors of ", source.factorization(),
                         ", and something else is set beside it: ", rest.ShortDebugString());
}

// Opens what is named, the snapshot or without one the transcoder.
absl::Status FindInputs(const AnalysisSources& sources, const v1::DirectionSource& source, ChosenDecoders* chosen) {
  if (source.snapshot().empty()) {
    SUPERPOSE_ASSIGN_OR_RETURN(chosen->loaded, sources.registry->FindTranscoderWithModel(source.transcoder()));
    return absl::OkStatus();
  }
  SUPERPOSE_ASSIGN_OR_RETURN(chosen->snapshot, SnapshotInputs::Open(source.snapshot(), source.transcoder(),
                                                                    *sources.registry, sources.snapshots));
  chosen->loaded = chosen->snapshot->loaded();
  return absl::OkStatus();
}

// Ranks of all features by id; -1 for all where nobody knows frequencies and none are needed.
absl::StatusOr<at::Tensor> TakeRanks(const ChosenDecoders& chosen, v1::DirectionSource* source) {
  SUPERPOSE_ASSIGN_OR_RETURN(const FrequencySource by, SourceOf(source->by()));
  auto order = OrderByFrequency(chosen.transcoder(), chosen.data(), by);
  if (order.ok()) {
    const bool training =
        by == FrequencySource::kTraining || (by == FrequencySource::kDefault && chosen.transcoder().has_log_sparsity());
    source->set_by(training ? v1::FREQUENCY_SOURCE_TRAINING : v1::FREQUENCY_SOURCE_SNAPSHOT);
    return std::move(order->ranks);
  }
  const bool needed = source->top() > 0 || by != FrequencySource::kDefault;
  if (needed || ReasonOf(order.status()) != reason::kFrequenciesMissing) return order.status();
  return at::full({chosen.transcoder().d_sae()}, -1, at::kLong);
}

// Of "all" real decoders those that a snapshot does not cover are no less.
absl::StatusOr<at::Tensor> Select(const ChosenDecoders& chosen, const v1::FeatureSelector& features) {
  SUPERPOSE_ASSIGN_OR_RETURN(const FeatureSelection selection, SelectionOf(features));
  const bool all_real = chosen.choice.kind == DecoderKind::kReal && std::holds_alternative<std::monostate>(selection);
  return SelectFeatures(selection, chosen.transcoder(), all_real ? nullptr : chosen.data());
}

// int64 [most]: indices of the most frequent, ties and those of unknown frequency, which come last, by id.
at::Tensor MostFrequent(const ChosenDecoders& chosen, int64_t most) {
  const at::Tensor unknown = chosen.ids + chosen.transcoder().d_sae();
  const at::Tensor places = at::where(chosen.ranks.lt(0), unknown, chosen.ranks);
  return DescendingOrder(places.to(at::kDouble).neg()).slice(0, 0, most);
}

absl::StatusOr<ChosenDecoders> ChooseDecoders(const AnalysisSources& sources, v1::DirectionSource* source) {
  SUPERPOSE_RETURN_IF_ERROR(CheckNamesEnough(*source));
  ChosenDecoders chosen;
  SUPERPOSE_RETURN_IF_ERROR(TakeDecoders(source, &chosen.choice));
  SUPERPOSE_RETURN_IF_ERROR(FindInputs(sources, *source, &chosen));
  source->set_transcoder(chosen.loaded.transcoder->name);
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor ranks, TakeRanks(chosen, source));
  SUPERPOSE_ASSIGN_OR_RETURN(chosen.ids, Select(chosen, source->features()));
  chosen.ranks = ranks.index_select(0, chosen.ids);
  if (source->top() == 0) return chosen;
  const at::Tensor top = MostFrequent(chosen, source->top());
  chosen.ids = chosen.ids.index_select(0, top);
  chosen.ranks = chosen.ranks.index_select(0, top);
  return chosen;
}

// What is wrong with the first of the real decoders that has no direction.
absl::Status NoDirection(const ChosenDecoders& chosen, const DecoderRows& decoders, const at::Tensor& bad) {
  const bool is_finite = decoders.Rows(bad.narrow(0, 0, 1)).isfinite().all().item<bool>();
  const auto feature = chosen.ids[bad[0].item<int64_t>()].item<int64_t>();
  if (!is_finite) {
    return InvalidArgument(reason::kTensorNotFinite, "the decoder of feature ", feature, " of ",
                           chosen.loaded.transcoder->name, " holds NaN or infinity (of ", chosen.ids.numel(), ", ",
                           bad.numel(), " have no direction)");
  }
  return InvalidArgument(reason::kConfigInvalid, "the decoder of feature ", feature, " of ",
                         chosen.loaded.transcoder->name, " has length 0, and points nowhere (of ", chosen.ids.numel(),
                         ", ", bad.numel(), " have no direction): leave it out");
}

// Leaves out rows without a direction, or says what is wrong with them.
absl::Status KeepDefined(const ChosenDecoders& chosen, const DecoderRows& decoders, DirectionRows* result) {
  const at::Tensor defined = result->rows.isfinite().all(1);
  const at::Tensor kept = defined.nonzero().squeeze(1), bad = defined.logical_not().nonzero().squeeze(1);
  if (bad.numel() == 0) return absl::OkStatus();
  if (chosen.choice.kind == DecoderKind::kReal) return NoDirection(chosen, decoders, bad);
  if (kept.numel() == 0) {
    return FailedPrecondition(reason::kEmptySelection, "of ", bad.numel(),
                              " predicted decoders none is defined: ", chosen.snapshot->facts().name(),
                              " never saw one of these features active with a gate that was open");
  }
  result->undefined = bad.numel();
  result->rows = result->rows.index_select(0, kept);
  result->ids = result->ids.index_select(0, kept);
  result->ranks = result->ranks.index_select(0, kept);
  return absl::OkStatus();
}

absl::StatusOr<DirectionRows> ReadDecoders(const ChosenDecoders& chosen) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::unique_ptr<DecoderRows> decoders,
                             MakeDecoderRows(chosen.inputs(), chosen.choice, chosen.ids));
  const int64_t count = chosen.ids.numel();
  const at::Tensor which = Consecutive(0, count);
  GatheredDecoders gathered(count, *decoders, kDecoderUnitEntries);
  for (int64_t block = 0; block < gathered.blocks(); ++block) gathered.Gather(*decoders, which, block);
  DirectionRows result;
  result.rows = gathered.units().cpu();
  result.ids = chosen.ids;
  result.ranks = chosen.ranks;
  SUPERPOSE_RETURN_IF_ERROR(KeepDefined(chosen, *decoders, &result));
  result.layer = chosen.loaded.transcoder->layer;
  if (chosen.snapshot == nullptr) {
    result.provenance = DescribeProvenance(*chosen.loaded.model, *chosen.loaded.transcoder, /*corpus=*/nullptr);
  } else {
    result.provenance = chosen.snapshot->facts().provenance();
    result.tokens = chosen.snapshot->facts().tokens();
  }
  return result;
}

absl::StatusOr<DirectionRows> ReadFactors(FactorizationStore* factorizations, const std::string& name) {
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Factorization facts, factorizations->Get(name));
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, factorizations->Open(name));
  SUPERPOSE_RETURN_IF_ERROR(CheckTensor(file.tensors(), "factors", {facts.factors(), facts.width()}));
  DirectionRows result;
  SUPERPOSE_ASSIGN_OR_RETURN(result.rows, file.Tensor("factors"));
  result.rows = result.rows.to(at::kFloat);
  result.ids = Consecutive(0, facts.factors());
  result.layer = facts.layer();
  result.provenance = std::move(*facts.mutable_provenance());
  return result;
}

}  // namespace

absl::StatusOr<DirectionShape> ResolveDirections(const AnalysisSources& sources, v1::DirectionSource* source) {
  if (!source->factorization().empty()) {
    SUPERPOSE_RETURN_IF_ERROR(CheckIsAlone(*source));
    SUPERPOSE_ASSIGN_OR_RETURN(const v1::Factorization facts, sources.factorizations->Get(source->factorization()));
    return DirectionShape{.rows = facts.factors(), .width = facts.width()};
  }
  return CatchTorch([&]() -> absl::StatusOr<DirectionShape> {
    SUPERPOSE_ASSIGN_OR_RETURN(const ChosenDecoders chosen, ChooseDecoders(sources, source));
    return DirectionShape{.rows = chosen.ids.numel(), .width = chosen.loaded.model->model->config().d_model};
  });
}

absl::StatusOr<DirectionRows> ReadDirections(const AnalysisSources& sources, const v1::DirectionSource& source) {
  return CatchTorch([&]() -> absl::StatusOr<DirectionRows> {
    if (!source.factorization().empty()) return ReadFactors(sources.factorizations, source.factorization());
    v1::DirectionSource again = source;
    SUPERPOSE_ASSIGN_OR_RETURN(const ChosenDecoders chosen, ChooseDecoders(sources, &again));
    return ReadDecoders(chosen);
  });
}

}  // namespace superpose
