#include "server/analysis/chosen_decoders.h"

#include <ATen/ATen.h>

#include <utility>
#include <variant>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/statistics/analysis/frequency_order.h"
#include "lib/statistics/analysis/ranking.h"
#include "server/runtime/feature_selectors.h"

namespace superpose {
namespace {

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

}  // namespace

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

}  // namespace superpose
