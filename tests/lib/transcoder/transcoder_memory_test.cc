#include "lib/transcoder/transcoder_memory.h"

#include <ATen/ATen.h>

#include "lib/transcoder/feature_activations.h"
#include "lib/transcoder/self_test.h"
#include "lib/transcoder/transcoder_file.h"
#include "lib/transcoder/transcoder_shape.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/memory_rig.h"

namespace superpose {
namespace {

class TranscoderMemoryTest : public MemoryRig {
 protected:
  void ExpectAsEstimated(const std::vector<int64_t>& lengths, int64_t d_sae, double bias) {
    const auto transcoder = MakeTranscoder(d_sae, bias);
    std::vector<TokenSequence> sequences;
    for (const int64_t length : lengths) {
      TokenSequence tokens;
      for (int64_t i = 0; i < length; ++i) tokens.push_back(static_cast<int32_t>((i * 7 + length) % 300));
      sequences.push_back(std::move(tokens));
    }
    const std::shared_ptr<const Model> its_model = model();
    int64_t held = 0;
    const int64_t peak = CountingAllocator::Install().PeakOf([&] {
      const auto z = ComputeFeatureActivations(*its_model, {{0, transcoder.get()}, {1, transcoder.get()}}, sequences);
      ASSERT_OK(z);
      for (const SparseActivations& layer : *z)
        held += static_cast<int64_t>(layer.feature_ids.nbytes() + layer.values.nbytes() + layer.row_splits.nbytes());
    });
    const TranscoderShape shape = ShapeOf(d_sae, bias);
    const MemoryEstimate estimate = EstimateFeatureActivations(its_model->config(), {{0, shape}, {1, shape}}, lengths);
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
    EXPECT_TRUE(WithinAFifth(estimate.held_bytes, held));
  }
};

TEST_F(TranscoderMemoryTest, OfALongRequestTheModelsPassDecides) {
  ExpectAsEstimated(std::vector<int64_t>(16, 256), 1024, kFewActive);
}
TEST_F(TranscoderMemoryTest, OfManyFeaturesTheTileDecides) { ExpectAsEstimated({256}, 16'384, kFewActive); }
TEST_F(TranscoderMemoryTest, WhereEveryFeatureIsActiveTheActivationsDecide) {
  ExpectAsEstimated(std::vector<int64_t>(8, 256), 4096, kAllActive);
}
TEST_F(TranscoderMemoryTest, SeveralBatchesArePutTogetherAtTheEnd) {
  ExpectAsEstimated(std::vector<int64_t>(48, 256), 1024, kAllActive);
}

TEST_F(TranscoderMemoryTest, NothingIsAskedForNothing) {
  EXPECT_EQ(EstimateFeatureActivations(model()->config(), {}, {}).peak_bytes, 0);
}

TEST_F(TranscoderMemoryTest, LoadingTakesWhatIsEstimated) {
  const std::string path = WriteTranscoderFile(folder(), "t.pt", 128, 16'384, kFewActive);
  std::shared_ptr<const Transcoder> transcoder;
  CountingAllocator& allocator = CountingAllocator::Install();
  const int64_t before = allocator.now();
  const int64_t allocated = allocator.PeakOf([&] {
    auto loaded = Transcoder::Load({path, ""}, at::kCPU);
    EXPECT_OK(loaded);
    if (loaded.ok()) transcoder = *std::move(loaded);
  });
  int64_t held = 0;
  for (const auto& [name, tensor] : transcoder->tensors()) held += static_cast<int64_t>(tensor.nbytes());
  // Tensors over the mapped file are no allocations, but they are held; the self-test is not run here.
  const int64_t mapped = held - (allocator.now() - before);
  const MemoryEstimate estimate = EstimateTranscoderLoad({.d_model = 128, .d_sae = 16'384});
  EXPECT_LE(mapped + allocated, estimate.peak_bytes);
  EXPECT_TRUE(WithinAFifth(estimate.held_bytes, held));
}

TEST_F(TranscoderMemoryTest, LoadingWithAnInt8PreFilterTakesWhatIsEstimated) {
  const std::string path = WriteTranscoderFile(folder(), "t.pt", 128, 16'384, kFewActive);
  std::shared_ptr<const Transcoder> transcoder;
  CountingAllocator& allocator = CountingAllocator::Install();
  const int64_t before = allocator.now();
  const int64_t peak = allocator.PeakOf([&] {
    auto loaded = Transcoder::Load({path, ""}, at::kCPU, {.int8_prefilter = true});
    EXPECT_OK(loaded);
    if (loaded.ok()) transcoder = *std::move(loaded);
  });
  const MemoryEstimate estimate =
      EstimateTranscoderLoad({.d_model = 128, .d_sae = 16'384}, /*converted=*/false, /*int8_prefilter=*/true);
  EXPECT_LE(peak, estimate.peak_bytes);
  EXPECT_TRUE(WithinAFifth(estimate.held_bytes, allocator.now() - before));
}

// A folder of SAELens whose weights read what comes after the gain: both are folded.
class FoldedMemoryTest : public TranscoderMemoryTest {
 protected:
  void ExpectLoadAsEstimated(at::ScalarType type, double scale = 1, double bias = kFewActive) {
    WriteSaeLensFolder(folder(), 128, 16'384, type, scale, bias);
    const std::shared_ptr<const Model> its_model = model();
    const at::Tensor tokens = at::randint(0, 200, {4, 128}, at::kLong);
    const int64_t peak = CountingAllocator::Install().PeakOf([&] {
      const auto file = ReadTranscoderFile({folder().path(), ""});
      ASSERT_OK(file);
      const auto transcoder = Transcoder::Create(*file, its_model->mlp_norm(1), at::kCPU);
      ASSERT_OK(transcoder);
      const auto tester = SelfTester::Create(*its_model, 1, tokens);
      ASSERT_OK(tester);
      EXPECT_OK(tester->Run(*file, **transcoder));
    });
    ASSERT_OK_AND_ASSIGN(const TranscoderOnDisk on_disk, ReadTranscoderShape(folder().path()));
    EXPECT_EQ(on_disk.shape.d_sae, 16'384);
    const MemoryEstimate estimate = EstimateTranscoderLoad(on_disk.shape, !on_disk.in_float32);
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
  }
};

TEST_F(FoldedMemoryTest, FoldingAndTheSelfTestTakeWhatIsEstimated) { ExpectLoadAsEstimated(at::kFloat); }
TEST_F(FoldedMemoryTest, WeightsOfAnotherPrecisionAreThereOnceMore) { ExpectLoadAsEstimated(at::kBFloat16); }
TEST_F(FoldedMemoryTest, AScaleTakesNoCopyOfAMatrix) {
  ExpectLoadAsEstimated(at::kFloat, 2.5);
  ExpectLoadAsEstimated(at::kBFloat16, 2.5);
}
TEST_F(FoldedMemoryTest, TheSelfTestTakesNoMoreWhereEveryFeatureIsActive) {
  ExpectLoadAsEstimated(at::kFloat, 1, kAllActive);
}

}  // namespace
}  // namespace superpose
