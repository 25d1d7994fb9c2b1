#include "server/services/activation_query.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/reasons.h"
#include "server/services/tokens.h"

namespace superpose {
namespace {

absl::StatusOr<std::vector<TokenSequence>> TokenizeTexts(const LoadedModel& model, const v1::TextBatch& batch) {
  const TokenizeOptions options{.prepend_bos = !batch.has_prepend_bos() || batch.prepend_bos(),
                                .parse_special = !batch.has_parse_special() || batch.parse_special()};
  std::vector<TokenSequence> sequences;
  for (const std::string& text : batch.texts()) {
    if (text.empty()) return InvalidArgument(reason::kEmptyInput, "text ", sequences.size(), " is empty");
    auto tokens = TokenizeText(model, text, options);
    if (!tokens.ok()) return WithContext(tokens.status(), absl::StrCat("text ", sequences.size()));
    sequences.push_back(*std::move(tokens));
  }
  return sequences;
}

SparseActivations ToCpu(const SparseActivations& activations) {
  return {activations.row_splits.cpu(), activations.feature_ids.cpu(), activations.values.cpu(), activations.d_sae};
}

}  // namespace

absl::StatusOr<ActivationQuery> ActivationQuery::Prepare(const ModelRegistry& registry,
                                                         const v1::ActivationsQuery& query) {
  ActivationQuery prepared;
  SUPERPOSE_RETURN_IF_ERROR(prepared.FindTranscoders(registry, query));
  SUPERPOSE_RETURN_IF_ERROR(prepared.TakeFilters(query));
  SUPERPOSE_RETURN_IF_ERROR(prepared.TakeSequences(query));
  return prepared;
}

absl::Status ActivationQuery::FindTranscoders(const ModelRegistry& registry, const v1::ActivationsQuery& query) {
  if (query.transcoders().empty())
    return InvalidArgument(reason::kEmptyInput, "transcoders is empty: name at least one");
  for (const std::string& selector : query.transcoders()) {
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedModel* model, registry.ModelOf(selector));
    SUPERPOSE_ASSIGN_OR_RETURN(const LoadedTranscoder* transcoder, registry.FindTranscoder(selector));
    if (model_ != nullptr && model != model_) {
      return InvalidArgument(reason::kConfigInvalid, "the transcoders of one request must be of one model, not of ",
                             model_->name, " and ", model->name);
    }
    model_ = model;
    transcoders_.push_back(transcoder);
  }
  return absl::OkStatus();
}

absl::Status ActivationQuery::TakeFilters(const v1::ActivationsQuery& query) {
  if (query.top_k() < 0)
    return InvalidArgument(reason::kConfigInvalid, "top_k is ", query.top_k(), ": it must be 0 or more");
  top_k_ = query.top_k();
  feature_ids_.assign(query.feature_ids().begin(), query.feature_ids().end());
  std::sort(feature_ids_.begin(), feature_ids_.end());
  feature_ids_.erase(std::unique(feature_ids_.begin(), feature_ids_.end()), feature_ids_.end());
  if (feature_ids_.empty()) return absl::OkStatus();
  for (const LoadedTranscoder* transcoder : transcoders_) {
    const int64_t d_sae = transcoder->transcoder->d_sae();
    if (feature_ids_.front() >= 0 && feature_ids_.back() < d_sae) continue;
    return InvalidArgument(reason::kFeatureOutOfRange, "feature_ids must be in 0 .. ", d_sae - 1, " for ",
                           transcoder->name);
  }
  return absl::OkStatus();
}

absl::Status ActivationQuery::TakeSequences(const v1::ActivationsQuery& query) {
  if (query.has_texts()) {
    SUPERPOSE_ASSIGN_OR_RETURN(sequences_, TokenizeTexts(*model_, query.texts()));
  } else {
    SUPERPOSE_ASSIGN_OR_RETURN(sequences_, SequencesOf(query.tokens()));
  }
  return CheckSequences(*model_->model, sequences_);
}

int64_t ActivationQuery::tokens() const {
  int64_t tokens = 0;
  for (const TokenSequence& sequence : sequences_) tokens += static_cast<int64_t>(sequence.size());
  return tokens;
}

int64_t ActivationQuery::PartEnd(int64_t begin, int64_t most_tokens) const {
  int64_t end = begin;
  int64_t tokens = 0;
  while (end < sequences()) {
    tokens += static_cast<int64_t>(sequences_[end].size());
    if (end > begin && tokens > most_tokens) break;
    ++end;
  }
  return end;
}

absl::StatusOr<v1::Activations> ActivationQuery::Compute(int64_t begin, int64_t end) const {
  const std::vector<TokenSequence> part(sequences_.begin() + begin, sequences_.begin() + end);
  std::vector<LayerTranscoder> layers;
  for (const LoadedTranscoder* loaded : transcoders_) layers.push_back({loaded->layer, loaded->transcoder.get()});
  SUPERPOSE_ASSIGN_OR_RETURN(const auto computed, ComputeFeatureActivations(*model_->model, layers, part));
  return CatchTorch([&]() -> absl::StatusOr<v1::Activations> {
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
      *layer->mutable_activations() = ToProto(ToCpu(Filter(computed[i])));
    }
    return activations;
  });
}

SparseActivations ActivationQuery::Filter(SparseActivations activations) const {
  if (!feature_ids_.empty()) {
    const at::Tensor ids = at::tensor(feature_ids_, at::kLong).to(activations.values.device());
    activations = KeepFeatures(activations, ids);
  }
  return top_k_ > 0 ? KeepTopK(activations, top_k_) : activations;
}

}  // namespace superpose
