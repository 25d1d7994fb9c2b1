#include "client/cpp/activations_codec.h"

#include <bit>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::client {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays travel as they lie in memory");

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the server's activations are malformed: ", what));
}

template <typename T>
absl::StatusOr<std::vector<T>> ArrayOf(const std::string& bytes) {
  if (bytes.size() % sizeof(T) != 0) return Malformed("an array ends in the middle of an element");
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

absl::Status CheckRows(const SparseActivations& rows) {
  int64_t entries = static_cast<int64_t>(rows.feature_ids.size());
  if (rows.values.size() != rows.feature_ids.size()) return Malformed("feature_ids and values differ in length");
  if (rows.row_splits.front() != 0 || rows.row_splits.back() != entries)
    return Malformed("row_splits do not span the entries");
  for (int64_t row = 0; row < rows.rows(); ++row) {
    int64_t begin = rows.row_splits[row];
    int64_t end = rows.row_splits[row + 1];
    if (begin > end || end > entries) return Malformed("row_splits fall");
    for (int64_t i = begin; i < end; ++i) {
      int64_t floor = i == begin ? 0 : rows.feature_ids[i - 1] + int64_t{1};
      if (rows.feature_ids[i] < floor || rows.feature_ids[i] >= rows.d_sae)
        return Malformed("feature_ids are not ascending below d_sae");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SparseActivations> FromProto(const v1::SparseActivations& proto) {
  SparseActivations rows;
  rows.d_sae = proto.d_sae();
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(rows.row_splits, ArrayOf<int64_t>(proto.row_splits()));
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(rows.feature_ids, ArrayOf<int32_t>(proto.feature_ids()));
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(rows.values, ArrayOf<float>(proto.values()));
  if (proto.rows() < 0 || rows.rows() != proto.rows()) return Malformed("row_splits has not rows + 1 elements");
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(CheckRows(rows));
  return rows;
}

absl::StatusOr<LayerActivations> FromProto(const v1::LayerActivations& proto, int64_t tokens) {
  LayerActivations layer;
  layer.transcoder = proto.provenance().transcoder();
  layer.model_hash = proto.provenance().model_hash();
  layer.transcoder_hash = proto.provenance().transcoder_hash();
  layer.convention = proto.provenance().convention();
  layer.layer = proto.layer();
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(layer.activations, FromProto(proto.activations()));
  if (layer.activations.rows() != tokens) return Malformed("there is not one row a token");
  return layer;
}

absl::Status CheckTokens(const Activations& activations) {
  int64_t sum = 0;
  for (int32_t length : activations.lengths) {
    if (length < 0) return Malformed("a sequence has a negative length");
    sum += length;
  }
  if (sum != static_cast<int64_t>(activations.token_ids.size()))
    return Malformed("lengths do not add up to the tokens");
  if (!activations.token_texts.empty() && activations.token_texts.size() != activations.token_ids.size()) {
    return Malformed("there is not one text a token");
  }
  return absl::OkStatus();
}

void SetTexts(const ActivationsQuery& query, v1::TextBatch* batch) {
  batch->mutable_texts()->Assign(query.texts.begin(), query.texts.end());
  batch->set_prepend_bos(query.prepend_bos);
  batch->set_parse_special(query.parse_special);
}

void SetSequences(const ActivationsQuery& query, v1::TokenBatch* batch) {
  for (const std::vector<int32_t>& sequence : query.sequences) {
    batch->mutable_token_ids()->Add(sequence.begin(), sequence.end());
    batch->add_lengths(static_cast<int32_t>(sequence.size()));
  }
}

}  // namespace

absl::StatusOr<v1::ActivationsQuery> ToProto(const ActivationsQuery& query) {
  if (!query.texts.empty() && !query.sequences.empty()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID", "give texts or token sequences, not both");
  }
  v1::ActivationsQuery proto;
  proto.mutable_transcoders()->Assign(query.transcoders.begin(), query.transcoders.end());
  if (query.sequences.empty()) {
    SetTexts(query, proto.mutable_texts());
  } else {
    SetSequences(query, proto.mutable_tokens());
  }
  proto.set_top_k(query.top_k);
  proto.mutable_feature_ids()->Assign(query.feature_ids.begin(), query.feature_ids.end());
  return proto;
}

absl::StatusOr<Activations> FromProto(const v1::Activations& proto) {
  Activations activations;
  activations.token_ids.assign(proto.tokens().token_ids().begin(), proto.tokens().token_ids().end());
  activations.lengths.assign(proto.tokens().lengths().begin(), proto.tokens().lengths().end());
  activations.token_texts.assign(proto.token_texts().begin(), proto.token_texts().end());
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(CheckTokens(activations));
  for (const v1::LayerActivations& layer : proto.layers()) {
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(LayerActivations converted,
                                      FromProto(layer, static_cast<int64_t>(activations.token_ids.size())));
    activations.layers.push_back(std::move(converted));
  }
  return activations;
}

}  // namespace superpose::client
