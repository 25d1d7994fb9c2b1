// What is said that a collection takes in memory, against what LibTorch allocates from its start to its end: alone,
// with a snapshot taken in the middle where there is room for a copy, and where there is none.
#include <ATen/ATen.h>

#include "server/runtime/statistics_memory.h"
#include "tests/server/jobs/collection_rig.h"
#include "tests/support/counting_allocator.h"
#include "tests/support/synthetic_files.h"

namespace superpose {
namespace {

enum class Middle { kNothing, kCopiedSnapshot, kSnapshotWithoutRoom };

class CollectionMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    LoadRegistry();
    ASSERT_NE(registry_, nullptr);
    // In a manager of its own, so that nothing of it is left.
    ManagerRig rig(folder_.path(), {}, nullptr, registry_.get());
    const v1::Job trained = rig.WaitForEnd(rig.Submit(TinyTraining(1)).name());
    ASSERT_EQ(trained.state(), v1::JOB_STATE_SUCCEEDED) << trained.error().message();
    ASSERT_OK_AND_ASSIGN(midcoders_.emplace_back(), rig.midcoders().Get(trained.trained_midcoders().midcoders(0)));
  }

  void ExpectAsEstimated(const v1::StatisticsOptions& options) {
    const v1::Job job =
        TinyCollection([&](v1::StatisticsSpec* spec) { *spec->mutable_options() = options; }, midcoders_, *registry_);
    const v1::StatisticsSpec& spec = job.collect_statistics();
    ASSERT_OK_AND_ASSIGN(const MemoryEstimate estimate, EstimateCollection(*registry_, midcoders_, spec));
    ASSERT_OK_AND_ASSIGN(const int64_t snapshot, EstimateSnapshotBytes(*registry_, midcoders_, spec));
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, PeakOf(job, Middle::kNothing)));
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes + snapshot, PeakOf(job, Middle::kCopiedSnapshot)));
    EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, PeakOf(job, Middle::kSnapshotWithoutRoom)));
  }

 private:
  // By the tiny model's names, so that jobs on it are jobs on this one: d_model 128, d_mlp 512, 2,048 features, which
  // make sums of 90 MB.
  void LoadRegistry() {
    ModelConfig model;
    model.d_model = 128;
    model.d_mlp = 512;
    model.n_layers = 2;
    model.n_heads = 4;
    model.n_positions = 64;
    model.vocab_size = 300;
    at::manual_seed(1);
    WriteModelFolder(files_, model);
    WriteTranscoderFile(files_, "transcoder.pt", model.d_model, /*d_sae=*/2048, /*bias=*/-2.3);
    files_.Write("rows.npy", TinyCorpus());
    constexpr char kConfig[] = R"(device: "cpu" model { name: "tiny" path: "$0"
        transcoder { layer: 1 id: "layer1" path: "$0/transcoder.pt" } }
        corpus { name: "rows" path: "$0/rows.npy" model: "tiny" token_dtype: "uint16" })";
    v1::ServerConfig config;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(absl::Substitute(kConfig, files_.path()), &config));
    ASSERT_OK_AND_ASSIGN(registry_, ModelRegistry::Load(config));
  }

  int64_t PeakOf(const v1::Job& job, Middle middle) {
    Gate gate(2 * kBatchTokens);
    MemoryBudget budget(int64_t{1} << 30);
    ManagerRig rig(folder_.path(), Gated(&gate), nullptr, registry_.get(), &budget);
    return CountingAllocator::Install().PeakOf([&] {
      const std::string name = rig.Submit(job).name();
      WaitUntilDone(rig, name, 2 * kBatchTokens);
      {
        MemoryReservation others;
        if (middle == Middle::kSnapshotWithoutRoom) {
          ASSERT_OK_AND_ASSIGN(others, budget.Reserve(MemoryUse::kJob, budget.Available(MemoryUse::kJob), "others"));
        }
        if (middle != Middle::kNothing) EXPECT_OK(SnapshotCall(rig, name).Answer());
      }
      gate.Open();
      EXPECT_EQ(rig.WaitForEnd(name).state(), v1::JOB_STATE_SUCCEEDED);
    });
  }

  const TestFolder files_;
  const TemporaryFolder folder_;
  std::unique_ptr<ModelRegistry> registry_;
  std::vector<v1::Midcoder> midcoders_;
};

TEST_F(CollectionMemoryTest, OfEverything) { ExpectAsEstimated({}); }

TEST_F(CollectionMemoryTest, OfGatesWithoutPairs) {
  v1::StatisticsOptions options;
  options.add_groups(v1::STATISTICS_GROUP_GATES);
  ExpectAsEstimated(options);
}

TEST_F(CollectionMemoryTest, OfPairsOfSomeFeatures) {
  v1::StatisticsOptions options;
  options.mutable_pair_features()->mutable_range()->set_stop(256);
  ExpectAsEstimated(options);
}

}  // namespace
}  // namespace superpose
