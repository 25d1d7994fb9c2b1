// Estimates of an evaluation against what LibTorch allocates.
#include <ATen/ATen.h>

#include "lib/midcoder/midcoder_memory.h"
#include "tests/lib/midcoder/golden.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/memory_rig.h"

namespace superpose {
namespace {

constexpr int64_t kContext = 64;

class EvaluationMemoryTest : public MemoryRig {
 protected:
  void ExpectAsEstimated(MidForm form, int64_t sequences, int64_t d_sae, double bias, int64_t tokens) {
    const std::shared_ptr<const Model> its_model = model();
    const auto transcoder = MakeTranscoder(d_sae, bias);
    const auto corpus = Sequences(at::randint(0, 200, {sequences, kContext}, at::kLong));
    EvaluatorConfig config;
    config.tokens = tokens;
    const int64_t peak = CountingAllocator::Install().PeakOf([&] {
      auto midcoder =
          std::make_shared<Midcoder>(Midcoder::Zero(form, MidGate::kRelu, 1, *its_model, transcoder->d_sae()));
      auto evaluator = MidcoderEvaluator::Create({its_model, transcoder, midcoder, corpus}, config);
      ASSERT_OK(evaluator);
      EXPECT_OK((*evaluator)->RunSlice(Budget::Unlimited()));
    });
    const EvaluationShape shape{.form = form, .context_length = kContext, .sequence_count = sequences};
    const MemoryEstimate estimate =
        EstimateMidcoderEvaluation(its_model->config(), config, shape, ShapeOf(d_sae, bias));
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
  }
};

TEST_F(EvaluationMemoryTest, OfALongOneTheWindowDecides) {
  ExpectAsEstimated(MidForm::kDModel, 256, 1024, kFewActive, 16'384);
}
TEST_F(EvaluationMemoryTest, OfAShortOneTheMidcoderDecides) {
  ExpectAsEstimated(MidForm::kDMlp, 16, 16'384, kFewActive, 1024);
}
TEST_F(EvaluationMemoryTest, WhereEveryFeatureIsActiveTheActivationsDecide) {
  ExpectAsEstimated(MidForm::kDModel, 16, 8192, kAllActive, 1024);
}

class LargeVocabularyTest : public EvaluationMemoryTest {
 protected:
  LargeVocabularyTest() { set_vocab_size(30'000); }
};

TEST_F(LargeVocabularyTest, OfAnEvaluationTheScoresDecide) {
  ExpectAsEstimated(MidForm::kDModel, 16, 1024, kFewActive, 1024);
}

}  // namespace
}  // namespace superpose
