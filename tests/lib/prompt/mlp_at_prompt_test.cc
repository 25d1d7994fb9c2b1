#include "lib/prompt/mlp_at_prompt.h"

#include <ATen/ATen.h>

#include "tests/lib/prompt/sequences.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using Kind = MlpTensorKind;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kLayer = 1;

class MlpAtPromptTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(model_ && transcoder_);
    forward_ = GoldenTensors("tiny_forward_f32.safetensors");
    encoded_ = GoldenTensors("tiny_transcoder.safetensors");
  }

  absl::StatusOr<Midcoder> GoldenMidcoder(int64_t layer = kLayer) const {
    TensorMap tensors;
    for (const auto& [name, tensor] : GoldenTensors("tiny_mid_d_mlp_f32.safetensors")) {
      if (name.rfind("after_50.", 0) == 0) tensors[name.substr(9)] = tensor;
    }
    return Midcoder::FromTensors(MidForm::kDMlp, MidGate::kRelu, layer, *model_, transcoder_->d_sae(), tensors);
  }
  // The batch that the golden transcoder and midcoder were run on.
  std::vector<TokenSequence> Batch() const { return RowsOf(encoded_.at("batches")[0], std::vector<int64_t>(8, 32)); }
  // What TransformerLens has at a hook of a layer, of the sequences cut to `lengths`.
  at::Tensor Hook(int64_t layer, const std::string& name, const std::vector<int64_t>& lengths) const {
    return JoinedRows(forward_.at("blocks." + std::to_string(layer) + "." + name), lengths);
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  TensorMap forward_, encoded_;
};

TEST_F(MlpAtPromptTest, TheModelsOwnTensorsEqualTheReferenceInEveryLayer) {
  const std::vector<int64_t> lengths = {64, 17};
  for (const int64_t layer : {0, 1, 2}) {
    const MlpQuery query{.layer = layer, .which = {Kind::kOut, Kind::kXHat, Kind::kPre, Kind::kGate}};
    ASSERT_OK_AND_ASSIGN(const auto tensors, ComputeMlpTensors(*model_, query, RowsOf(forward_.at("tokens"), lengths)));
    ASSERT_EQ(tensors.size(), 4U);
    EXPECT_LT(RelativeError(tensors[0], Hook(layer, "hook_mlp_out", lengths)), 3e-6) << layer;
    EXPECT_LT(RelativeError(tensors[1], Hook(layer, "ln2.hook_normalized", lengths)), 3e-6) << layer;
    const at::Tensor pre = Hook(layer, "mlp.hook_pre", lengths);
    EXPECT_LT(RelativeError(tensors[2], pre), 3e-6) << layer;
    EXPECT_LE((tensors[3] - pre.gt(0).to(at::kFloat)).abs().sum().item<float>(), 2) << layer;
    EXPECT_EQ(tensors[3].scalar_type(), at::kFloat);
  }
}

TEST_F(MlpAtPromptTest, TheTranscodersOutputEqualsTheReference) {
  const MlpQuery query{.layer = kLayer, .which = {Kind::kOutTranscoder}, .transcoder = transcoder_.get()};
  ASSERT_OK_AND_ASSIGN(const auto tensors, ComputeMlpTensors(*model_, query, Batch()));
  EXPECT_LT(RelativeError(tensors[0], encoded_.at("sae_out")), 3e-6);
}

TEST_F(MlpAtPromptTest, TheMidcodersTensorsEqualTheReference) {
  ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, GoldenMidcoder());
  const MlpQuery query{.layer = kLayer,
                       .which = {Kind::kMid, Kind::kGate, Kind::kOutMidcoder},
                       .transcoder = transcoder_.get(),
                       .midcoder = &midcoder};
  ASSERT_OK_AND_ASSIGN(const auto tensors, ComputeMlpTensors(*model_, query, Batch()));
  const TensorMap golden = GoldenTensors("tiny_mid_d_mlp_f32.safetensors");
  EXPECT_LT(RelativeError(tensors[0], golden.at("final_forward_batch0.mid").flatten(0, 1)), 3e-6);
  const at::Tensor gate = golden.at("final_forward_batch0.gate").flatten(0, 1).to(at::kFloat);
  EXPECT_LE((tensors[1] - gate).abs().sum().item<float>(), 2);
  EXPECT_LT(RelativeError(tensors[2], golden.at("final_forward_batch0.mlp_out").flatten(0, 1)), 3e-6);
}

TEST_F(MlpAtPromptTest, AMidcoderChangesOnlyItsOwnTensors) {
  ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, GoldenMidcoder());
  const std::vector<Kind> which = {Kind::kXHat, Kind::kPre, Kind::kOut, Kind::kOutTranscoder, Kind::kGate};
  const MlpQuery with{.layer = kLayer, .which = which, .transcoder = transcoder_.get(), .midcoder = &midcoder};
  const MlpQuery without{.layer = kLayer, .which = which, .transcoder = transcoder_.get()};
  ASSERT_OK_AND_ASSIGN(const auto some, ComputeMlpTensors(*model_, with, Batch()));
  ASSERT_OK_AND_ASSIGN(const auto others, ComputeMlpTensors(*model_, without, Batch()));
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(at::equal(some[i], others[i])) << i;
  EXPECT_FALSE(at::equal(some[4], others[4]));
}

TEST_F(MlpAtPromptTest, ManySequencesGoByBatchesInTheirOrder) {
  // 70 x 64 tokens are more than one batch of 4,096.
  const at::Tensor tokens = forward_.at("tokens").repeat({35, 1});
  std::vector<int64_t> lengths(70, 64);
  lengths[3] = 5;
  const MlpQuery query{.layer = 2, .which = {Kind::kOut}};
  ASSERT_OK_AND_ASSIGN(const auto tensors, ComputeMlpTensors(*model_, query, RowsOf(tokens, lengths)));
  const at::Tensor expected = JoinedRows(forward_.at("blocks.2.hook_mlp_out").repeat({35, 1, 1}), lengths);
  ASSERT_EQ(tensors[0].sizes(), expected.sizes());
  EXPECT_LT(RelativeError(tensors[0], expected), 3e-6);
}

TEST_F(MlpAtPromptTest, WidthsAreThoseOfTheTensors) {
  ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, GoldenMidcoder());
  const std::vector<Kind> all = {Kind::kXHat, Kind::kPre,           Kind::kGate,       Kind::kMid,
                                 Kind::kOut,  Kind::kOutTranscoder, Kind::kOutMidcoder};
  const MlpQuery query{.layer = kLayer, .which = all, .transcoder = transcoder_.get(), .midcoder = &midcoder};
  ASSERT_OK_AND_ASSIGN(const auto tensors, ComputeMlpTensors(*model_, query, {{1, 2, 3}, {4}}));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(tensors[i].sizes(), at::IntArrayRef({4, WidthOf(all[i], model_->config())})) << i;
  }
}

TEST_F(MlpAtPromptTest, WhatCannotBeComputedIsRefused) {
  ASSERT_OK_AND_ASSIGN(const Midcoder midcoder, GoldenMidcoder());
  ASSERT_OK_AND_ASSIGN(const Midcoder of_layer_2, GoldenMidcoder(2));
  const Transcoder* transcoder = transcoder_.get();
  auto compute = [this](const MlpQuery& query) { return ComputeMlpTensors(*model_, query, {{1, 2}}); };
  for (const int64_t layer : {-1, 3}) {
    EXPECT_THAT(compute({.layer = layer, .which = {Kind::kPre}}), IsError(kInvalid, reason::kLayerOutOfRange));
  }
  EXPECT_THAT(compute({.layer = 1, .which = {}}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(compute({.layer = 1, .which = {Kind::kOutTranscoder}}), IsError(kInvalid, reason::kConfigInvalid));
  for (const Kind kind : {Kind::kMid, Kind::kOutMidcoder}) {
    EXPECT_THAT(compute({.layer = 1, .which = {kind}, .transcoder = transcoder}),
                IsError(kInvalid, reason::kConfigInvalid));
  }
  EXPECT_THAT(compute({.layer = 1, .which = {Kind::kGate}, .transcoder = nullptr, .midcoder = &midcoder}),
              IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(compute({.layer = 1, .which = {Kind::kMid}, .transcoder = transcoder, .midcoder = &of_layer_2}),
              IsError(kInvalid, reason::kConfigInvalid));
  EXPECT_THAT(ComputeMlpTensors(*model_, {.layer = 1, .which = {Kind::kPre}}, {}),
              IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeMlpTensors(*model_, {.layer = 1, .which = {Kind::kPre}}, {{256}}),
              IsError(kInvalid, reason::kTokenOutOfRange));
}

}  // namespace
}  // namespace superpose
