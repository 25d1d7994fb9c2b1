#include "server/runtime/statistics_specs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/check_options.h"
#include "server/runtime/feature_selectors.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/reasons.h"
#include "server/runtime/spec_checks.h"

namespace superpose {
namespace {

constexpr int64_t kMostKept = 1000;

absl::StatusOr<StatisticsGroup> GroupOf(int group) {
  switch (group) {
    case v1::STATISTICS_GROUP_FEATURES:
      return StatisticsGroup::kFeatures;
    case v1::STATISTICS_GROUP_PAIRS:
      return StatisticsGroup::kPairs;
    case v1::STATISTICS_GROUP_GATES:
      return StatisticsGroup::kGates;
    case v1::STATISTICS_GROUP_PRE_ACTIVATIONS:
      return StatisticsGroup::kPreActivations;
    case v1::STATISTICS_GROUP_OUTPUTS:
      return StatisticsGroup::kOutputs;
    case v1::STATISTICS_GROUP_UNITS:
      return StatisticsGroup::kUnits;
    default:
      return InvalidArgument(reason::kConfigInvalid, "groups has a value, ", group, ", that this server does not know");
  }
}

absl::StatusOr<v1::GateSource> ResolveGate(v1::GateSource gate, bool has_midcoders) {
  if (gate == v1::GATE_SOURCE_UNSPECIFIED) return has_midcoders ? v1::GATE_SOURCE_MIDCODER : v1::GATE_SOURCE_MODEL;
  if (!v1::GateSource_IsValid(gate)) {
    return InvalidArgument(reason::kConfigInvalid, "gate has a value that this server does not know");
  }
  if (gate == v1::GATE_SOURCE_MIDCODER && !has_midcoders) {
    return InvalidArgument(reason::kConfigInvalid,
                           "gate is GATE_SOURCE_MIDCODER and no midcoders are named: name one for each transcoder, or "
                           "take GATE_SOURCE_MODEL");
  }
  return gate;
}

void FillDefaults(const TrainingHandles& handles, v1::StatisticsSpec* spec) {
  const Corpus& corpus = *handles.corpus->corpus;
  if (!spec->has_tokens()) spec->set_tokens(1'000'000);
  if (!spec->has_batch_size()) spec->set_batch_size(32);
  if (!spec->has_first_sequence()) spec->set_first_sequence(0);
  if (!spec->has_context_length()) spec->set_context_length(StandardContextLength(*handles.model, corpus));
  if (spec->split() == v1::CORPUS_SPLIT_UNSPECIFIED) {
    spec->set_split(corpus.documents() > 0 ? v1::CORPUS_SPLIT_TRAIN : v1::CORPUS_SPLIT_ALL);
  }
}

absl::Status CheckRanges(const TrainingHandles& handles, const v1::StatisticsSpec& spec) {
  if (!v1::CorpusSplit_IsValid(spec.split())) {
    return InvalidArgument(reason::kConfigInvalid, "split has a value that this server does not know");
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("tokens", spec.tokens(), kMostTokens));
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("batch_size", spec.batch_size(), kMostSequences));
  SUPERPOSE_RETURN_IF_ERROR(CheckContextLength(*handles.model, spec.context_length()));
  if (spec.first_sequence() >= 0) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "first_sequence is ", spec.first_sequence(), ": it must be 0 or more");
}

absl::Status CheckFirstSequence(const TokenSequences& sequences, int64_t first) {
  if (first < sequences.count()) return absl::OkStatus();
  return InvalidArgument(reason::kCorpusTooSmall, "first_sequence is ", first, " and there are ", sequences.count(),
                         " sequences of ", sequences.length(), " tokens: it must be below that");
}

GateSource GateFor(const v1::StatisticsSpec& spec) {
  return spec.gate() == v1::GATE_SOURCE_MIDCODER ? GateSource::kMidcoder : GateSource::kModel;
}

}  // namespace

absl::StatusOr<v1::StatisticsOptions> ResolveStatisticsOptions(v1::StatisticsOptions options) {
  if (options.groups().empty()) {
    for (int group = v1::STATISTICS_GROUP_FEATURES; group <= v1::StatisticsGroup_MAX; ++group) {
      options.add_groups(static_cast<v1::StatisticsGroup>(group));
    }
  }
  for (const int group : options.groups()) SUPERPOSE_RETURN_IF_ERROR(GroupOf(group).status());
  if (!options.has_include_bos()) options.set_include_bos(false);
  if (!options.has_snapshot_every_tokens()) options.set_snapshot_every_tokens(0);
  if (!options.has_keep_last()) options.set_keep_last(2);
  if (options.snapshot_every_tokens() < 0) {
    return InvalidArgument(reason::kConfigInvalid, "snapshot_every_tokens is ", options.snapshot_every_tokens(),
                           ": it must be 0 (never) or more");
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckCount("keep_last", options.keep_last(), kMostKept));
  return options;
}

absl::StatusOr<StatisticsOptions> StatisticsOptionsFor(const v1::StatisticsOptions& options,
                                                       const Transcoder& transcoder, GateSource gate) {
  StatisticsOptions result;
  result.gate = gate;
  result.groups = {StatisticsGroup::kFeatures};
  for (const int group : options.groups()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const StatisticsGroup known, GroupOf(group));
    result.groups.insert(known);
  }
  const auto select = [&](const v1::FeatureSelector& selector, at::Tensor* ids) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const FeatureSelection selection, SelectionOf(selector));
    if (std::holds_alternative<std::monostate>(selection)) return absl::OkStatus();
    SUPERPOSE_ASSIGN_OR_RETURN(*ids, SelectFeatures(selection, transcoder, /*snapshot=*/nullptr));
    return absl::OkStatus();
  };
  SUPERPOSE_RETURN_IF_ERROR(select(options.features(), &result.feature_ids));
  SUPERPOSE_RETURN_IF_ERROR(select(options.pair_features(), &result.pair_ids));
  const StatisticsShape shape{.d_sae = transcoder.d_sae(), .d_mlp = 0, .d_model = 0};
  SUPERPOSE_RETURN_IF_ERROR(
      CatchTorch([&] { return CheckStatisticsOptions(shape, result, gate == GateSource::kMidcoder); }));
  return result;
}

absl::StatusOr<TrainingHandles> FindStatisticsHandles(const ModelRegistry& registry, const v1::StatisticsSpec& spec,
                                                      const std::vector<v1::Midcoder>& midcoders) {
  SUPERPOSE_ASSIGN_OR_RETURN(TrainingHandles handles, FindTrainingHandles(registry, spec.transcoders(), spec.corpus()));
  if (!midcoders.empty() && midcoders.size() != handles.transcoders.size()) {
    return InvalidArgument(reason::kConfigInvalid, "midcoders has ", midcoders.size(), " names and transcoders ",
                           handles.transcoders.size(), ": name one midcoder for each, or none");
  }
  for (size_t i = 0; i < midcoders.size(); ++i) {
    const v1::Provenance& trained_on = midcoders[i].provenance();
    const LoadedTranscoder& transcoder = *handles.transcoders[i];
    if (trained_on.transcoder_hash() == transcoder.transcoder->content_hash() &&
        trained_on.model_hash() == handles.model->model->content_hash()) {
      continue;
    }
    return FailedPrecondition(reason::kSnapshotMismatch, midcoders[i].name(), " was trained on ",
                              trained_on.transcoder(), " with content hash ", trained_on.transcoder_hash(), ", and ",
                              transcoder.name, " has ", transcoder.transcoder->content_hash(),
                              ": name the midcoders in the order of their transcoders");
  }
  return handles;
}

absl::StatusOr<v1::StatisticsSpec> ResolveStatisticsSpec(const ModelRegistry& registry,
                                                         const std::vector<v1::Midcoder>& midcoders,
                                                         v1::StatisticsSpec spec) {
  SUPERPOSE_RETURN_IF_ERROR(CheckLabels(spec.labels()));
  SUPERPOSE_ASSIGN_OR_RETURN(const TrainingHandles handles, FindStatisticsHandles(registry, spec, midcoders));
  for (int i = 0; i < spec.transcoders_size(); ++i) spec.set_transcoders(i, handles.transcoders[i]->name);
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::GateSource gate, ResolveGate(spec.gate(), !midcoders.empty()));
  spec.set_gate(gate);
  SUPERPOSE_ASSIGN_OR_RETURN(*spec.mutable_options(), ResolveStatisticsOptions(spec.options()));
  FillDefaults(handles, &spec);
  SUPERPOSE_RETURN_IF_ERROR(CheckRanges(handles, spec));
  SUPERPOSE_ASSIGN_OR_RETURN(const CollectorInputs inputs, CollectorInputsFor(handles, spec, midcoders));
  SUPERPOSE_RETURN_IF_ERROR(CheckFirstSequence(*inputs.sequences, spec.first_sequence()));
  return spec;
}

absl::StatusOr<CollectorInputs> CollectorInputsFor(const TrainingHandles& handles, const v1::StatisticsSpec& spec,
                                                   const std::vector<v1::Midcoder>& midcoders) {
  CollectorInputs inputs;
  inputs.model = handles.model->model;
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.sequences,
                             handles.corpus->corpus->Sequences(spec.context_length(), SplitOf(spec.split())));
  inputs.corpus_hash = absl::StrCat(handles.corpus->corpus->content_hash(), " ", inputs.sequences->count());
  for (size_t i = 0; i < handles.transcoders.size(); ++i) {
    const LoadedTranscoder& transcoder = *handles.transcoders[i];
    CollectedLayer layer;
    layer.layer = transcoder.layer;
    layer.transcoder = transcoder.transcoder;
    SUPERPOSE_ASSIGN_OR_RETURN(layer.options,
                               StatisticsOptionsFor(spec.options(), *transcoder.transcoder, GateFor(spec)));
    if (!midcoders.empty()) {
      layer.midcoder = std::make_shared<Midcoder>(FormOf(midcoders[i].spec()), GateOf(midcoders[i].spec()),
                                                  transcoder.layer, MidcoderParameters());
      layer.midcoder_hash = midcoders[i].content_hash();
    }
    inputs.layers.push_back(std::move(layer));
  }
  return inputs;
}

CollectorConfig CollectorConfigFor(const v1::StatisticsSpec& spec) {
  return {.first_sequence = spec.first_sequence(),
          .tokens = spec.tokens(),
          .batch_size = spec.batch_size(),
          .include_bos = spec.options().include_bos()};
}

}  // namespace superpose
