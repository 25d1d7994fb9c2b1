#include "lib/prompt/prediction_change.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "lib/prompt/logit_tiles.h"

namespace superpose {
namespace {

void AppendTo(const at::Tensor& values, std::vector<float>* all) {
  const at::Tensor on_cpu = values.to(at::kCPU, at::kFloat).contiguous();
  const float* first = on_cpu.const_data_ptr<float>();
  all->insert(all->end(), first, first + on_cpu.numel());
}

// The token that follows each of the batch's tokens; -1 at each sequence's last.
at::Tensor Followers(const std::vector<TokenSequence>& sequences, const PaddedBatch& batch) {
  std::vector<int64_t> followers;
  for (size_t index = batch.begin; index < batch.end; ++index) {
    followers.insert(followers.end(), sequences[index].begin() + 1, sequences[index].end());
    followers.push_back(-1);
  }
  return at::tensor(followers, at::kLong).to(batch.tokens.device());
}

void AddPositions(const Model& model, const at::Tensor& followers, const at::Tensor& before, const at::Tensor& after,
                  PredictionChange* change) {
  ForLogitTiles(before.size(0), [&](int64_t begin, int64_t end) {
    const at::Tensor log_before = model.LogProbabilities(before.slice(0, begin, end)).to(at::kDouble);
    const at::Tensor difference = model.LogProbabilities(after.slice(0, begin, end)).to(at::kDouble) - log_before;
    // -sum p d, with sum p (e^d - 1) = 0 added: no term is below 0, and an error of both normalizers cancels.
    AppendTo((log_before.exp() * (difference.expm1() - difference)).sum(1), &change->kl);
    const at::Tensor tokens = followers.slice(0, begin, end);
    const at::Tensor at_follower = difference.gather(1, tokens.clamp_min(0).unsqueeze(1)).squeeze(1);
    AppendTo(at_follower.masked_fill(tokens.lt(0), 0), &change->log_probability_change);
  });
}

// One row of ids and their log-probabilities before and after; ids may stand twice.
struct Candidates {
  const int64_t* ids;
  const float* before;
  const float* after;
  int64_t count;
};

InterventionEffect EffectOf(int64_t sequence, const Candidates& candidates) {
  std::vector<int64_t> order(candidates.count);
  std::iota(order.begin(), order.end(), 0);
  auto size = [&](int64_t i) { return std::abs(candidates.after[i] - candidates.before[i]); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return size(a) > size(b); });
  InterventionEffect effect;
  effect.sequence = sequence;
  std::set<int64_t> seen;
  for (const int64_t i : order) {
    if (!seen.insert(candidates.ids[i]).second) continue;
    effect.token_ids.push_back(static_cast<int32_t>(candidates.ids[i]));
    effect.before.push_back(candidates.before[i]);
    effect.after.push_back(candidates.after[i]);
  }
  return effect;
}

void AddEffects(const Model& model, int64_t first_sequence, const at::Tensor& before, const at::Tensor& after,
                int64_t top_k, PredictionChange* change) {
  ForLogitTiles(before.size(0), [&](int64_t begin, int64_t end) {
    const at::Tensor log_before = model.LogProbabilities(before.slice(0, begin, end));
    const at::Tensor log_after = model.LogProbabilities(after.slice(0, begin, end));
    const at::Tensor candidates =
        at::cat({std::get<1>(log_before.topk(top_k, 1)), std::get<1>(log_after.topk(top_k, 1))}, 1);
    const at::Tensor ids = candidates.cpu().contiguous();
    const at::Tensor ids_before = log_before.gather(1, candidates).cpu().contiguous();
    const at::Tensor ids_after = log_after.gather(1, candidates).cpu().contiguous();
    for (int64_t row = 0; row < end - begin; ++row) {
      const int64_t first = row * ids.size(1);
      change->effects.push_back(
          EffectOf(first_sequence + begin + row,
                   {ids.const_data_ptr<int64_t>() + first, ids_before.const_data_ptr<float>() + first,
                    ids_after.const_data_ptr<float>() + first, ids.size(1)}));
    }
  });
}

}  // namespace

void AddPredictionChange(const Model& model, const std::vector<TokenSequence>& sequences, const PaddedBatch& batch,
                         const at::Tensor& before, const at::Tensor& after, int64_t top_k, PredictionChange* change) {
  AddPositions(model, Followers(sequences, batch), before, after, change);
  const at::Tensor last = at::tensor(LastRows(sequences, batch.begin, batch.end), at::kLong).to(before.device());
  AddEffects(model, static_cast<int64_t>(batch.begin), before.index_select(0, last), after.index_select(0, last),
             std::min(top_k, model.config().vocab_size), change);
}

}  // namespace superpose
