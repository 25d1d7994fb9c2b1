#include "lib/prompt/next_tokens.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/prompt/logit_tiles.h"

namespace superpose {
namespace {

absl::Status CheckQuery(const Model& model, const NextTokensQuery& query) {
  if (query.top_k < 0)
    return InvalidArgument(reason::kConfigInvalid, "top_k is ", query.top_k, ": it must be 0 or more");
  for (const int32_t id : query.token_ids) {
    if (id >= 0 && id < model.config().vocab_size) continue;
    return InvalidArgument(reason::kTokenOutOfRange, "token_ids: ", id, " is not in 0 .. ",
                           model.config().vocab_size - 1);
  }
  return absl::OkStatus();
}

// Final residuals of all tokens of the batch's sequences, [tokens, d_model].
at::Tensor FinalRows(const Model& model, const PaddedBatch& batch) {
  at::Tensor resid = model.Embed(batch.tokens);
  for (int64_t layer = 0; layer < model.config().n_layers; ++layer) resid = model.Block(layer, resid);
  return resid.flatten(0, 1).index_select(0, batch.real_rows);
}

// The positions of the batch that are asked for, without their predictions, and which of its rows they are.
struct Places {
  std::vector<NextTokensPrediction> predictions;
  std::vector<int64_t> rows;
};

Places PlacesOf(const std::vector<TokenSequence>& sequences, const PaddedBatch& batch, bool all_positions) {
  Places places;
  int64_t row = 0;
  for (size_t index = batch.begin; index < batch.end; ++index) {
    const auto length = static_cast<int64_t>(sequences[index].size());
    for (int64_t position = 0; position < length; ++position, ++row) {
      if (!all_positions && position + 1 < length) continue;
      places.predictions.push_back({static_cast<int64_t>(index), position, {}, {}});
      places.rows.push_back(row);
    }
  }
  return places;
}

// Takes ids and values from a tile [rows, entries] of each on the CPU, for predictions from `begin` on.
void TakeEntries(const at::Tensor& ids, const at::Tensor& values, int64_t begin,
                 std::vector<NextTokensPrediction>* predictions) {
  const int64_t entries = ids.size(1);
  const int64_t* id = ids.const_data_ptr<int64_t>();
  const float* value = values.const_data_ptr<float>();
  for (int64_t row = 0; row < ids.size(0); ++row, id += entries, value += entries) {
    NextTokensPrediction& prediction = (*predictions)[begin + row];
    for (int64_t entry = 0; entry < entries; ++entry) prediction.token_ids.push_back(static_cast<int32_t>(id[entry]));
    prediction.log_probabilities.assign(value, value + entries);
  }
}

std::vector<NextTokensPrediction> PredictBatch(const Model& model, const NextTokensQuery& query,
                                               const std::vector<TokenSequence>& sequences, const PaddedBatch& batch) {
  Places places = PlacesOf(sequences, batch, query.all_positions);
  const at::Tensor rows =
      FinalRows(model, batch).index_select(0, at::tensor(places.rows, at::kLong).to(model.device()));
  const at::Tensor asked = at::tensor(query.token_ids, at::kLong).to(model.device());
  const int64_t top_k = std::min(query.top_k, model.config().vocab_size);
  ForLogitTiles(rows.size(0), [&](int64_t begin, int64_t end) {
    const at::Tensor log_probabilities = model.LogProbabilities(rows.slice(0, begin, end));
    const auto [top, top_ids] = log_probabilities.topk(top_k, 1);
    const at::Tensor ids = at::cat({top_ids, asked.unsqueeze(0).expand({end - begin, -1})}, 1);
    const at::Tensor values = at::cat({top, log_probabilities.index_select(1, asked)}, 1);
    TakeEntries(ids.cpu().contiguous(), values.cpu().contiguous(), begin, &places.predictions);
  });
  return std::move(places.predictions);
}

}  // namespace

absl::StatusOr<std::vector<NextTokensPrediction>> ComputeNextTokens(const Model& model, const NextTokensQuery& query,
                                                                    const std::vector<TokenSequence>& sequences) {
  SUPERPOSE_RETURN_IF_ERROR(CheckQuery(model, query));
  SUPERPOSE_RETURN_IF_ERROR(CheckSequences(model, sequences));
  return CatchTorch([&]() -> absl::StatusOr<std::vector<NextTokensPrediction>> {
    std::vector<NextTokensPrediction> all;
    for (const PaddedBatch& batch : PadSequences(sequences, model.device())) {
      std::vector<NextTokensPrediction> predictions = PredictBatch(model, query, sequences, batch);
      all.insert(all.end(), std::make_move_iterator(predictions.begin()), std::make_move_iterator(predictions.end()));
    }
    return all;
  });
}

}  // namespace superpose
