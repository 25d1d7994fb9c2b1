// A collector on the golden model, with the golden transcoder and midcoder at any layer.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lib/statistics/collector.h"
#include "tests/lib/midcoder/golden.h"
#include "tests/lib/statistics/dense_statistics.h"
#include "tests/status_matchers.h"

namespace superpose {

inline Budget OneUnit() {
  return Budget([] { return true; });
}

class CollectorRig : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(model_ && transcoder_);
  }

  // As trained for layer 1 in 50 steps.
  std::shared_ptr<const Midcoder> GoldenMidcoder(int64_t layer, MidForm form = MidForm::kDMlp) const {
    const TensorMap golden =
        GoldenTensors(form == MidForm::kDMlp ? "tiny_mid_d_mlp_f32.safetensors" : "tiny_mid_d_model_f32.safetensors");
    auto midcoder = Midcoder::FromTensors(form, MidGate::kRelu, layer, *model_, transcoder_->d_sae(),
                                          WithoutPrefix(golden, "after_50."));
    EXPECT_OK(midcoder);
    return midcoder.ok() ? std::make_shared<const Midcoder>(*std::move(midcoder)) : nullptr;
  }
  CollectedLayer Layer(int64_t layer) const {
    return {.layer = layer, .transcoder = transcoder_, .midcoder = nullptr, .midcoder_hash = "", .options = {}};
  }
  CollectedLayer LayerWithMidcoder(int64_t layer) const {
    CollectedLayer collected = Layer(layer);
    collected.midcoder = GoldenMidcoder(layer);
    collected.midcoder_hash = "midcoder";
    collected.options.gate = GateSource::kMidcoder;
    return collected;
  }
  CollectorInputs Inputs(std::vector<CollectedLayer> layers, const at::Tensor& tokens = GoldenTokens()) const {
    return {model_, std::move(layers), Sequences(tokens), "corpus"};
  }
  // 24 sequences a batch, so that chunks of 16 do not fill it; five batches.
  static CollectorConfig Config() { return {.tokens = 5 * 24 * 32, .batch_size = 24}; }

  static std::unique_ptr<StatisticsCollector> New(const CollectorInputs& inputs, const CollectorConfig& config) {
    auto collector = StatisticsCollector::Create(inputs, config);
    EXPECT_OK(collector);
    return collector.ok() ? *std::move(collector) : nullptr;
  }
  static std::unique_ptr<StatisticsCollector> Run(const CollectorInputs& inputs, const CollectorConfig& config) {
    auto collector = New(inputs, config);
    const auto done = collector->RunSlice(Budget::Unlimited());
    EXPECT_OK(done);
    EXPECT_TRUE(done.ok() && *done);
    return collector;
  }
  // To the boundary after so many tokens.
  static void RunTo(StatisticsCollector& collector, int64_t tokens) {
    ASSERT_OK(collector.RunSlice(Budget([&] { return collector.tokens_done() >= tokens; })));
    ASSERT_EQ(collector.tokens_done(), tokens);
    ASSERT_TRUE(collector.at_boundary());
  }

  // What one batch of sequences adds, by the model's and the transcoder's own functions: its rows but those where BOS
  // stands first.
  StatisticsRows RowsOf(const at::Tensor& tokens, const CollectedLayer& layer, bool include_bos) const {
    std::vector<at::Tensor> x_hat, pre, out;
    for (const at::Tensor& chunk : tokens.split(SequencesPerChunk(tokens.size(1)))) {
      const auto mlp = model_->RunToMlp(chunk, layer.layer);
      EXPECT_OK(mlp);
      at::Tensor kept = at::ones_like(chunk, at::kBool);
      if (!include_bos) kept.select(1, 0).copy_(chunk.select(1, 0).ne(model_->config().bos_token_id));
      const at::Tensor rows = kept.flatten().nonzero().squeeze(1);
      x_hat.push_back(mlp->x_hat.flatten(0, 1).index_select(0, rows));
      pre.push_back(mlp->pre.flatten(0, 1).index_select(0, rows));
      out.push_back(mlp->out.flatten(0, 1).index_select(0, rows));
    }
    const auto z = transcoder_->Encode(at::cat(x_hat));
    EXPECT_OK(z);
    return {.z = *z,
            .pre = at::cat(pre),
            .mid = layer.midcoder ? layer.midcoder->Mid(*model_, *z) : at::Tensor(),
            .out = at::cat(out)};
  }
  // Of sequences [0, count) of the golden tokens in batches of 24.
  TensorMap Expected(const CollectedLayer& layer, int64_t count, bool include_bos) const {
    std::vector<SparseActivations> z;
    std::vector<at::Tensor> pre, mid, out;
    for (const at::Tensor& batch : GoldenTokens().narrow(0, 0, count).split(24)) {
      const StatisticsRows rows = RowsOf(batch, layer, include_bos);
      z.push_back(rows.z);
      pre.push_back(rows.pre);
      out.push_back(rows.out);
      if (rows.mid.defined()) mid.push_back(rows.mid);
    }
    return DenseStatistics({.z = ConcatenateRows(z),
                            .pre = at::cat(pre),
                            .mid = mid.empty() ? at::Tensor() : at::cat(mid),
                            .out = at::cat(out)});
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
};

}  // namespace superpose
