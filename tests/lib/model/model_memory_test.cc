#include "lib/model/model_memory.h"

#include <ATen/ATen.h>

#include "lib/model/model.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/synthetic_files.h"

namespace superpose {
namespace {

ModelConfig Shape(int64_t d_model, int64_t n_layers, int64_t vocab_size) {
  ModelConfig config;
  config.d_model = d_model;
  config.d_mlp = 4 * d_model;
  config.n_layers = n_layers;
  config.n_heads = 4;
  config.n_positions = 64;
  config.vocab_size = vocab_size;
  return config;
}

class ModelMemoryTest : public testing::Test {
 protected:
  void ExpectLoadAsEstimated(const ModelConfig& config) {
    WriteModelFolder(folder_, config);
    CountingAllocator& allocator = CountingAllocator::Install();
    const int64_t before = allocator.now();
    std::shared_ptr<const Model> model;
    const int64_t peak = allocator.PeakOf([&] {
      auto loaded = Model::Load(folder_.path(), at::kCPU);
      EXPECT_OK(loaded);
      if (loaded.ok()) model = *std::move(loaded);
    });
    const MemoryEstimate estimate = EstimateModelLoad(config);
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
    int64_t held = 0;
    for (const auto& [name, tensor] : model->tensors()) held += static_cast<int64_t>(tensor.nbytes());
    for (int64_t layer = 0; layer < config.n_layers; ++layer) {
      held += static_cast<int64_t>(model->mlp_norm(layer).gain.nbytes() + model->mlp_norm(layer).bias.nbytes());
    }
    EXPECT_EQ(estimate.held_bytes, held);
    EXPECT_LE(allocator.now() - before, held + 4096) << "nothing but the weights and layer norms stays";
  }

  TestFolder folder_;
};

TEST_F(ModelMemoryTest, OfALargeVocabularyTheUnembeddingDecides) { ExpectLoadAsEstimated(Shape(128, 2, 20'000)); }
TEST_F(ModelMemoryTest, OfALargeModelItsLastLayerDecides) { ExpectLoadAsEstimated(Shape(512, 2, 300)); }
TEST_F(ModelMemoryTest, OfManyLayersWhatIsFinishedDecides) { ExpectLoadAsEstimated(Shape(256, 8, 2000)); }

TEST_F(ModelMemoryTest, ABlockTakesWhatIsEstimated) {
  const ModelConfig config = Shape(256, 1, 300);
  WriteModelFolder(folder_, config);
  ASSERT_OK_AND_ASSIGN(const auto model, Model::Load(folder_.path(), at::kCPU));
  const at::Tensor resid = at::randn({32, 64, config.d_model});
  BlockWorkspace workspace;
  const int64_t peak = CountingAllocator::Install().PeakOf([&] { model->RunBlock(0, resid, workspace); });
  EXPECT_TRUE(WithinAFifth(BlockBytes(config, 32 * 64), peak + static_cast<int64_t>(resid.nbytes())));
}

}  // namespace
}  // namespace superpose
