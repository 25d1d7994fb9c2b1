#include "server/runtime/self_test_tokens.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

constexpr int64_t kTokens = 512;
constexpr int64_t kLongestSequence = 128;

// Plain prose on several subjects; about 600 tokens of GPT-2.
constexpr char kText[] =
    R"(The harbour was quiet before sunrise. Two fishing boats had come back during the night, and their crews were asleep below deck while the gulls walked up and down the wet planks. An old man with a lamp counted the crates, wrote the numbers in a small notebook, and said that the price of herring would not hold until the end of the week.

In 1869 Dmitri Mendeleev arranged the known elements by their atomic weight and left gaps where he thought that something was missing. Three of those gaps were filled within twenty years. Gallium, scandium and germanium had almost exactly the properties that he had predicted, and most chemists stopped asking whether the table was a coincidence.

"I don't think we should go tonight," Maria said. "The road over the pass is closed, and nobody has seen the second bus since Tuesday." Her brother laughed and put another log on the fire. He had heard this before. When they were children she used to hide his shoes so that he could not leave the house without her.

To make the dough, mix 500 grams of flour with a teaspoon of salt and half a packet of yeast. Add warm water slowly, and stop as soon as the dough no longer sticks to your hands. Cover the bowl with a cloth and wait for about an hour; it should be twice as large. Heat the oven to 220 degrees before you shape the loaves.

The court found that the company had known about the defect for at least eighteen months. Internal emails, which were published on Friday, show that engineers asked for a recall three times. The company's shares fell by 7.4 percent in early trading, although analysts pointed out that the fine is smaller than what investors had expected.

A binary search keeps two positions, low and high, and looks at the element in the middle. If that element is smaller than the one we want, everything to its left can be thrown away; otherwise everything to its right can. Each step halves what is left, so a list of a million entries takes no more than twenty comparisons.

After the storm the children found a whale's rib on the beach. It was longer than the smallest of them was tall, white as chalk on one side and green with weed on the other. They carried it up to the school, where it hung above the blackboard for the next forty years.)";

int64_t SequenceLength(const LoadedModel& model) {
  return std::min(model.model->config().n_positions, kLongestSequence);
}

// Rows of `length` tokens, BOS first; what is left over is dropped, unless it is all there is.
at::Tensor CutIntoRows(const std::vector<int32_t>& ids, int64_t length, int64_t bos) {
  const auto count = static_cast<int64_t>(ids.size());
  const int64_t body = std::min(length - 1, count);
  const int64_t rows = std::min(count / body, std::max<int64_t>(kTokens / (body + 1), 1));
  at::Tensor tokens = at::empty({rows, body + 1}, at::kLong);
  auto* next = tokens.data_ptr<int64_t>();
  for (int64_t row = 0; row < rows; ++row) {
    *next++ = bos;
    next = std::copy_n(ids.begin() + row * body, body, next);
  }
  return tokens;
}

std::optional<at::Tensor> TextTokens(const LoadedModel& model) {
  if (model.tokenizer == nullptr) return std::nullopt;
  const auto ids = model.tokenizer->Encode(kText, /*parse_special=*/false);
  const ModelConfig& config = model.model->config();
  if (!ids.ok() || ids->empty() || SequenceLength(model) < 2) return std::nullopt;
  if (*std::max_element(ids->begin(), ids->end()) >= config.vocab_size) return std::nullopt;
  return CutIntoRows(*ids, SequenceLength(model), config.bos_token_id);
}

std::optional<at::Tensor> CorpusTokens(const LoadedModel& model, const LoadedCorpus* corpus) {
  if (corpus == nullptr) return std::nullopt;
  const int64_t length = corpus->corpus->is_array() ? corpus->corpus->row_length() : SequenceLength(model);
  if (length < 2 || length > model.model->config().n_positions) return std::nullopt;
  const auto sequences = corpus->corpus->Sequences(length, CorpusSplit::kAll);
  if (!sequences.ok()) return std::nullopt;
  std::vector<int64_t> first(std::min((*sequences)->count(), std::max<int64_t>(kTokens / length, 1)));
  std::iota(first.begin(), first.end(), 0);
  return (*sequences)->Gather(first);
}

at::Tensor RandomTokens(const LoadedModel& model) {
  const ModelConfig& config = model.model->config();
  // The same at every load, by Knuth's linear congruential generator.
  uint64_t state = 1;
  std::vector<int32_t> ids(kTokens);
  for (int32_t& id : ids) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    id = static_cast<int32_t>((state >> 33U) % static_cast<uint64_t>(config.vocab_size));
  }
  // A context of one token has no room for BOS.
  if (config.n_positions == 1) return at::tensor(ids, at::kLong).view({-1, 1});
  return CutIntoRows(ids, SequenceLength(model), config.bos_token_id);
}

}  // namespace

absl::StatusOr<SelfTestTokens> ChooseSelfTestTokens(const LoadedModel& model, const LoadedCorpus* corpus) {
  return CatchTorch([&]() -> absl::StatusOr<SelfTestTokens> {
    if (auto tokens = TextTokens(model)) return SelfTestTokens{*std::move(tokens), "built-in text"};
    if (auto tokens = CorpusTokens(model, corpus)) return SelfTestTokens{*std::move(tokens), corpus->name};
    return SelfTestTokens{RandomTokens(model), "random token ids"};
  });
}

}  // namespace superpose
