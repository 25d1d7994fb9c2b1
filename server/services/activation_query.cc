#include "server/services/activation_query.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <variant>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/transcoder/joined_activations.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/feature_selectors.h"
#include "server/runtime/reasons.h"
#include "server/runtime/work_memory.h"

namespace superpose {
namespace {

SparseActivations ToCpu(const SparseActivations& activations) {
  return {activations.row_splits.cpu(), activations.feature_ids.cpu(), activations.values.cpu(), activations.d_sae};
}

}  // namespace

absl::StatusOr<ActivationQuery> ActivationQuery::Prepare(const ModelRegistry& registry,
                                                         const v1::ActivationsQuery& query, int64_t most_tokens) {
  ActivationQuery prepared;
  SUPERPOSE_RETURN_IF_ERROR(prepared.FindTranscoders(registry, query));
  SUPERPOSE_RETURN_IF_ERROR(prepared.TakeFilters(query));
  SUPERPOSE_RETURN_IF_ERROR(prepared.TakeSequences(query, most_tokens));
  return prepared;
}

absl::Status ActivationQuery::FindTranscoders(const ModelRegistry& registry, const v1::ActivationsQuery& query) {
  if (query.transcoders().empty())
    return InvalidArgument(reason::kEmptyInput, "transcoders is empty: name at least one");
  std::set<std::string> names;
  for (const std::string& selector : query.transcoders()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const ModelAndTranscoder found, registry.FindTranscoderWithModel(selector));
    if (model_ != nullptr && model_->name != found.model->name) {
      return InvalidArgument(reason::kConfigInvalid, "the transcoders of one request must be of one model, not of ",
                             model_->name, " and ", found.model->name);
    }
    if (!names.insert(found.transcoder->name).second)
      return InvalidArgument(reason::kConfigInvalid, found.transcoder->name, " is named twice");
    model_ = found.model;
    transcoders_.push_back(found.transcoder);
  }
  return absl::OkStatus();
}

absl::Status ActivationQuery::TakeFilters(const v1::ActivationsQuery& query) {
  if (query.top_k() < 0)
    return InvalidArgument(reason::kConfigInvalid, "top_k is ", query.top_k(), ": it must be 0 or more");
  top_k_ = query.top_k();
  if (!query.feature_ids().empty() && query.has_features())
    return InvalidArgument(reason::kConfigInvalid, "feature_ids and features are both set: choose features by one");
  FeatureSelection selection;
  if (query.has_features()) {
    SUPERPOSE_ASSIGN_OR_RETURN(selection, SelectionOf(query.features()));
  } else if (!query.feature_ids().empty()) {
    selection = std::vector<int64_t>(query.feature_ids().begin(), query.feature_ids().end());
  }
  if (std::holds_alternative<std::monostate>(selection)) return absl::OkStatus();
  for (const TranscoderHandle& transcoder : transcoders_) {
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor ids,
                               SelectFeatures(selection, *transcoder->transcoder, /*snapshot=*/nullptr));
    feature_ids_.push_back(std::get<0>(at::_unique(ids)));
  }
  return absl::OkStatus();
}

absl::Status ActivationQuery::TakeSequences(const v1::ActivationsQuery& query, int64_t most_tokens) {
  if (query.has_texts()) {
    SUPERPOSE_ASSIGN_OR_RETURN(sequences_, SequencesOf(*model_, query.texts(), most_tokens));
  } else {
    SUPERPOSE_ASSIGN_OR_RETURN(sequences_, SequencesOf(query.tokens()));
  }
  return CheckSequences(*model_->model, sequences_);
}

int64_t ActivationQuery::PeakBytes(int64_t begin, int64_t end) const {
  return EstimateActivations(*model_, transcoders_, Lengths(begin, end)).peak_bytes;
}

int64_t ActivationQuery::AnsweredBytes() const {
  // An answer is counted twice: as a message and on its way.
  const int64_t answer = EstimateActivations(*model_, transcoders_, Lengths(0, sequences())).held_bytes;
  return answer / 2 + answer;
}

std::vector<int64_t> ActivationQuery::Lengths(int64_t begin, int64_t end) const {
  std::vector<int64_t> lengths;
  for (int64_t i = begin; i < end; ++i) lengths.push_back(static_cast<int64_t>(sequences_[i].size()));
  return lengths;
}

std::vector<LayerTranscoder> ActivationQuery::Layers() const {
  std::vector<LayerTranscoder> layers;
  for (const TranscoderHandle& loaded : transcoders_) layers.push_back({loaded->layer, loaded->transcoder.get()});
  return layers;
}

std::string ActivationQuery::WhatFits(int64_t begin, int64_t end, int64_t room) const {
  const int64_t fit =
      LargestThatFits(end - begin, room, [&](int64_t count) { return PeakBytes(begin, begin + count); });
  if (fit == 0) return "ask for fewer layers or shorter sequences";
  return absl::StrCat(fit, " of these ", end - begin, " sequences would fit");
}

absl::StatusOr<MemoryReservation> ActivationQuery::ReserveTokens(MemoryBudget* budget) const {
  const int64_t bytes =
      tokens() * static_cast<int64_t>(sizeof(int32_t)) + sequences() * static_cast<int64_t>(sizeof(TokenSequence));
  return budget->Reserve(MemoryUse::kRequest, bytes, "keeping the tokens of this request",
                         "ask for fewer sequences at a time");
}

absl::StatusOr<MemoryReservation> ActivationQuery::Reserve(MemoryBudget* budget, int64_t begin, int64_t end) const {
  const int64_t bytes = PeakBytes(begin, end), room = budget->Available(MemoryUse::kRequest);
  const std::string advice = bytes > room ? WhatFits(begin, end, room) : "";
  return budget->Reserve(MemoryUse::kRequest, bytes, "computing these activations", advice);
}

absl::Status ActivationQuery::CheckCanEverFit(const MemoryBudget& budget, int64_t begin, int64_t end) const {
  const int64_t bytes = PeakBytes(begin, end), room = budget.MostEver(MemoryUse::kRequest);
  if (bytes <= room) return absl::OkStatus();
  return budget.CheckCanEverFit(MemoryUse::kRequest, bytes, "computing these activations", WhatFits(begin, end, room));
}

BatchItem ActivationQuery::AsBatchItem() const {
  return {.key = absl::StrCat("activations ", absl::Hex(model_->model.get())), .tokens = tokens()};
}

// As for one query for all of it, which is enough: not every transcoder encodes all sequences.
absl::StatusOr<MemoryReservation> ActivationQuery::ReserveTogether(absl::Span<const ActivationQuery* const> queries,
                                                                   MemoryBudget* budget) {
  std::vector<TranscoderHandle> transcoders;
  std::vector<int64_t> lengths;
  for (const ActivationQuery* query : queries) {
    for (const TranscoderHandle& transcoder : query->transcoders_) {
      if (std::find(transcoders.begin(), transcoders.end(), transcoder) == transcoders.end())
        transcoders.push_back(transcoder);
    }
    const std::vector<int64_t> of_query = query->Lengths(0, query->sequences());
    lengths.insert(lengths.end(), of_query.begin(), of_query.end());
  }
  const int64_t bytes = EstimateActivations(*queries.front()->model_, transcoders, lengths).peak_bytes;
  return budget->Reserve(MemoryUse::kRequest, bytes, "computing the activations of several requests together");
}

absl::StatusOr<std::vector<ActivationQuery::Computed>> ActivationQuery::ComputeTogether(
    absl::Span<const ActivationQuery* const> queries, MemoryBudget* budget) {
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation memory, ReserveTogether(queries, budget));
  std::vector<ActivationsTask> tasks;
  for (const ActivationQuery* query : queries) tasks.push_back({query->sequences_, query->Layers()});
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<std::vector<SparseActivations>> results,
                             ComputeJoinedActivations(*queries.front()->model_->model, tasks));
  std::vector<Computed> computed(queries.size());
  for (size_t i = 0; i < queries.size(); ++i) {
    SUPERPOSE_RETURN_IF_ERROR(queries[i]->FilterAll(&results[i]));
    computed[i].layers = std::move(results[i]);
    computed[i].memory = memory.Split(queries[i]->AnsweredBytes());
  }
  return computed;
}

absl::StatusOr<v1::Activations> ActivationQuery::Compute(int64_t begin, int64_t end) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<SparseActivations> layers, ComputeLayers(begin, end));
  return Describe(begin, end, layers);
}

absl::StatusOr<std::vector<SparseActivations>> ActivationQuery::ComputeLayers(int64_t begin, int64_t end) const {
  const std::vector<TokenSequence> part(sequences_.begin() + begin, sequences_.begin() + end);
  SUPERPOSE_ASSIGN_OR_RETURN(std::vector<SparseActivations> computed,
                             ComputeFeatureActivations(*model_->model, Layers(), part));
  SUPERPOSE_RETURN_IF_ERROR(FilterAll(&computed));
  return computed;
}

absl::Status ActivationQuery::FilterAll(std::vector<SparseActivations>* layers) const {
  return CatchTorch([&] {
    for (size_t i = 0; i < layers->size(); ++i) (*layers)[i] = ToCpu(Filter(i, std::move((*layers)[i])));
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::Activations> ActivationQuery::Describe(int64_t begin, int64_t end,
                                                          const std::vector<SparseActivations>& layers) const {
  return CatchTorch([&]() -> absl::StatusOr<v1::Activations> {
    const std::vector<TokenSequence> part(sequences_.begin() + begin, sequences_.begin() + end);
    v1::Activations activations;
    *activations.mutable_tokens() = BatchOf(part);
    for (const TokenSequence& sequence : part) {
      SUPERPOSE_ASSIGN_OR_RETURN(const std::vector<std::string> texts, TokenTexts(*model_, sequence));
      activations.mutable_token_texts()->Add(texts.begin(), texts.end());
    }
    for (size_t i = 0; i < transcoders_.size(); ++i) {
      v1::LayerActivations* layer = activations.add_layers();
      *layer->mutable_provenance() = DescribeProvenance(*model_, *transcoders_[i], nullptr);
      layer->set_layer(static_cast<int32_t>(transcoders_[i]->layer));
      *layer->mutable_activations() = ToProto(layers[i]);
    }
    return activations;
  });
}

SparseActivations ActivationQuery::Filter(size_t index, SparseActivations activations) const {
  if (!feature_ids_.empty()) {
    activations = KeepFeatures(activations, feature_ids_[index].to(activations.values.device()));
  }
  return top_k_ > 0 ? KeepTopK(activations, top_k_) : activations;
}

}  // namespace superpose
