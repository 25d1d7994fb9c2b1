// What specs of analyses become: defaults that are filled in, and values that are refused.
#include "server/analysis/analysis_query.h"

#include <google/protobuf/text_format.h>

#include "server/runtime/reasons.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {
namespace {

class AnalysisQueryTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    model_ = *TinyRegistry()->FindModel("models/tiny");
    transcoder_ = *TinyRegistry()->FindTranscoder("models/tiny/layers/1");
    ManagerRig rig(folder_.path());
    TensorMap tensors = CollectDirectly(rig, TinyCollection()).at(0);
    ASSERT_OK_AND_ASSIGN(data_, SnapshotData::Create(std::move(tensors), Shape()));
    const TensorMap parameters = {
        {"W_mid", at::randn({256, 128})}, {"b_mid", at::zeros({128})}, {"b_mid_out", at::zeros({32})}};
    ASSERT_OK_AND_ASSIGN(midcoder_,
                         Midcoder::FromTensors(MidForm::kDMlp, MidGate::kRelu, 1, *model_->model, 256, parameters));
  }
  static StatisticsShape Shape() { return {.d_sae = 256, .d_mlp = 128, .d_model = 32}; }

  absl::StatusOr<v1::AnalysisSpec> Resolve(const std::string& text) {
    v1::AnalysisSpec spec;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
    const AnalysisInputs inputs{.snapshot = &*data_,
                                .model = model_->model.get(),
                                .transcoder = transcoder_->transcoder.get(),
                                .layer = 1,
                                .midcoder = &*midcoder_};
    const auto made = MakeAnalysis(inputs, &spec);
    if (!made.ok()) return made.status();
    return spec;
  }
  void ExpectResolved(const std::string& text, const std::string& wanted) {
    const auto resolved = Resolve(text);
    ASSERT_OK(resolved) << text;
    EXPECT_EQ(resolved->ShortDebugString(), wanted);
  }

  TemporaryFolder folder_;
  ModelHandle model_;
  TranscoderHandle transcoder_;
  std::optional<SnapshotData> data_;
  std::optional<Midcoder> midcoder_;
};

TEST_F(AnalysisQueryTest, DefaultsAreFilledIn) {
  ExpectResolved("feature_units {}", "feature_units { quantity: FEATURE_UNIT_QUANTITY_ACT_GATE_MEAN bins: 100 }");
  ExpectResolved("predicted_decoders {}", "predicted_decoders { method: PREDICTION_METHOD_ACT_GATE }");
  ExpectResolved("pairs {}", "pairs { quantity: PAIR_QUANTITY_PHI min_count: 1 }");
  ExpectResolved("coactive { feature: 2 }", "coactive { feature: 2 k: 20 by: PAIR_QUANTITY_PHI min_count: 10 }");
  ExpectResolved("decoder_similarities {}", "decoder_similarities { kind: DECODER_KIND_REAL }");
  ExpectResolved("decoder_similarities { kind: DECODER_KIND_PREDICTED }",
                 "decoder_similarities { kind: DECODER_KIND_PREDICTED method: PREDICTION_METHOD_ACT_GATE }");
  ExpectResolved("decoder_neighbors { feature: 2 k: 3 }",
                 "decoder_neighbors { feature: 2 k: 3 kind: DECODER_KIND_REAL bins: 100 }");
  ExpectResolved("ranked_units { unit: 5 }", "ranked_units { unit: 5 k: 20 }");
  ExpectResolved("noise_model {}", "noise_model { formula: NOISE_FORMULA_CONDITIONAL }");
  ExpectResolved("frequency_products { top: 5 most: 10 }", "frequency_products { top: 5 most: 10 }");
  ExpectResolved("pre_activations { units { range { start: 3 stop: 5 } } }",
                 "pre_activations { units { range { start: 3 stop: 5 } } }");
}

TEST_F(AnalysisQueryTest, WhatIsSaidStays) {
  ExpectResolved("pairs { quantity: PAIR_QUANTITY_LIFT min_count: 7 }",
                 "pairs { quantity: PAIR_QUANTITY_LIFT min_count: 7 }");
  ExpectResolved("noise_model { formula: NOISE_FORMULA_NOTEBOOK values: true }",
                 "noise_model { formula: NOISE_FORMULA_NOTEBOOK values: true }");
}

TEST_F(AnalysisQueryTest, ValuesThatThisServerDoesNotKnowAreRefused) {
  for (const char* text : {"pairs { quantity: 99 }", "coactive { by: 99 }", "feature_units { quantity: 99 }",
                           "predicted_decoders { method: 99 }", "decoder_similarities { kind: 99 }",
                           "decoder_neighbors { method: 99 }", "noise_model { formula: 99 }", "frequencies { by: 99 }",
                           "frequencies { features { band { by: 99 } } }", "frequency_products { by: 99 }"}) {
    EXPECT_THAT(Resolve(text), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid)) << text;
    EXPECT_THAT(Resolve(text), MessageHas("99")) << text;
  }
}

TEST_F(AnalysisQueryTest, NumbersThatCannotBeAreRefused) {
  for (const char* text : {"feature_units { bins: 0 }", "feature_units { bins: 10001 }", "coactive { feature: 1 k: 0 }",
                           "decoder_neighbors { feature: 1 k: -1 }", "frequency_products { top: 2001 }",
                           "frequency_products { most: 0 }", "ranked_units {}"}) {
    EXPECT_THAT(Resolve(text), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid)) << text;
  }
  for (const char* text :
       {"coactive { feature: 256 }", "decoder_neighbors { feature: -1 }", "ranked_units { feature: 256 }",
        "pairs { features { ids { values: 256 } } }", "pairs { features { range { stop: 257 } } }"}) {
    EXPECT_THAT(Resolve(text), IsError(absl::StatusCode::kInvalidArgument, reason::kFeatureOutOfRange)) << text;
  }
}

TEST_F(AnalysisQueryTest, AQuestionThatAsksNothingIsRefused) {
  EXPECT_THAT(Resolve(""), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
}

}  // namespace
}  // namespace superpose
