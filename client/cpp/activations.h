// Feature activations as plain arrays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace superpose::client {

// "models/{model}/layers/{layer}": the only transcoder of a layer; "-" is the only model.
std::string LayerName(int layer, absl::string_view model = "-");

// What to compute. Give texts or sequences, not both.
struct ActivationsQuery {
  // Transcoders of one model, one or more: "models/{model}/transcoders/{id}", or LayerName(..).
  std::vector<std::string> transcoders;
  // UTF-8 texts, each a sequence.
  std::vector<std::string> texts;
  // Token sequences, used as they are.
  std::vector<std::vector<int32_t>> sequences;
  // For texts: put a BOS before each (it is never doubled); take the text of a special token for that token.
  bool prepend_bos = true;
  bool parse_special = true;
  // Keep only the k largest of every position; 0 keeps all.
  int32_t top_k = 0;
  // Keep only these features; empty keeps all. Applied before top_k.
  std::vector<int32_t> feature_ids;
};

// Activations of one position.
struct SparseRow {
  absl::Span<const int32_t> feature_ids;
  absl::Span<const float> values;
};

// Compressed sparse rows: row r has the entries row_splits[r] .. row_splits[r + 1] - 1. Unit of values: the
// transcoder's own.
struct SparseActivations {
  // Number of features of the transcoder.
  int64_t d_sae = 0;
  // [rows + 1], from 0, never falling.
  std::vector<int64_t> row_splits = {0};
  // [entries], ascending within a row, below d_sae.
  std::vector<int32_t> feature_ids;
  // [entries], above 0.
  std::vector<float> values;

  int64_t rows() const { return static_cast<int64_t>(row_splits.size()) - 1; }
  SparseRow Row(int64_t row) const;
};

// Activations of one transcoder. Rows are the token positions of all sequences, one after the other.
struct LayerActivations {
  // "models/{model}/transcoders/{id}".
  std::string transcoder;
  // SHA-256 over the model's and the transcoder's tensors.
  std::string model_hash;
  std::string transcoder_hash;
  // What the transcoder reads and predicts, in words.
  std::string convention;
  // From 0.
  int layer = 0;
  SparseActivations activations;
};

struct Activations {
  // Ids of all sequences one after the other, BOS included, and the length of each sequence.
  std::vector<int32_t> token_ids;
  std::vector<int32_t> lengths;
  // The text of each token; empty for a model without a tokenizer.
  std::vector<std::string> token_texts;
  // One for each transcoder asked for, in that order.
  std::vector<LayerActivations> layers;
};

// Puts the sequences of `part` after those of `all`. Both come from the same query.
void Append(const Activations& part, Activations* all);

}  // namespace superpose::client
