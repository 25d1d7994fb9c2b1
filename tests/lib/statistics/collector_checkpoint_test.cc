#include <limits>

#include "lib/statistics/collector.h"
#include "tests/lib/statistics/collector_rig.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class CollectorCheckpointTest : public CollectorRig {
 protected:
  CollectorInputs TwoLayers() const {
    CollectedLayer some = Layer(0);
    some.options.feature_ids = at::tensor({200, 3, 3, 17}, at::kLong);
    some.options.pair_ids = at::tensor({17, 200}, at::kLong);
    return Inputs({LayerWithMidcoder(1), some});
  }
  static void ExpectRefused(const absl::Status& status, const std::string& what) {
    EXPECT_THAT(status, IsError(kPrecondition, reason::kInputChanged)) << what;
    EXPECT_THAT(status, MessageHas(what));
  }
};

TEST_F(CollectorCheckpointTest, AResumedRunEndsWithTheSameBits) {
  const TestFolder folder;
  const std::string path = folder.File("checkpoint.safetensors");
  const auto whole = New(TwoLayers(), Config());
  RunTo(*whole, 2 * 24 * 32);
  ASSERT_OK(WriteSafetensors(path, whole->CheckpointTensors(), whole->CheckpointMetadata()));
  ASSERT_OK(whole->RunSlice(Budget::Unlimited()));

  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file, SafetensorsFile::Open(path));
  const auto resumed = New(TwoLayers(), Config());
  // In the middle of a batch, while the first layer's rows are summed: dropped.
  for (int unit = 0; unit < 4 + 3 + 2 + 1; ++unit) ASSERT_OK(resumed->RunSlice(OneUnit()));
  ASSERT_FALSE(resumed->at_boundary());
  ASSERT_OK(resumed->Restore(file.tensors(), file.metadata()));
  EXPECT_TRUE(resumed->at_boundary());
  EXPECT_EQ(resumed->tokens_done(), 2 * 24 * 32);
  EXPECT_EQ(resumed->statistics(0).tokens(), 2 * 24 * 31);
  ASSERT_OK_AND_ASSIGN(const bool done, resumed->RunSlice(Budget::Unlimited()));
  EXPECT_TRUE(done);
  ExpectSameBits(resumed->CheckpointTensors(), whole->CheckpointTensors());
  EXPECT_EQ(resumed->CheckpointMetadata(), whole->CheckpointMetadata());
}

TEST_F(CollectorCheckpointTest, TheEndIsACheckpointToo) {
  CollectorConfig config = Config();
  config.first_sequence = 380;  // a batch of 24 and one of 12
  const auto whole = Run(TwoLayers(), config), again = New(TwoLayers(), config);
  ASSERT_OK(again->Restore(whole->CheckpointTensors(), whole->CheckpointMetadata()));
  ASSERT_OK_AND_ASSIGN(const bool done, again->RunSlice(Budget::Unlimited()));
  EXPECT_TRUE(done);
  ExpectSameBits(again->CheckpointTensors(), whole->CheckpointTensors());
}

TEST_F(CollectorCheckpointTest, OtherInputsAreRefusedByName) {
  const auto collector = New(TwoLayers(), Config());
  const TensorMap tensors = CopyOf(collector->CheckpointTensors());
  const StringMap metadata = collector->CheckpointMetadata();
  for (const char* key : {"model", "corpus", "transcoder0", "transcoder1", "midcoder0", "midcoder1", "config.layers",
                          "config.first_sequence", "config.tokens", "config.batch_size", "config.context_length",
                          "config.include_bos", "config.statistics0", "config.statistics1"}) {
    ASSERT_EQ(metadata.count(key), 1) << key;
    StringMap other = metadata;
    other[key] = "another";
    ExpectRefused(collector->Restore(tensors, other), key);
  }
  StringMap more = metadata;
  more["config.statistics2"] = "one more layer";
  ExpectRefused(collector->Restore(tensors, more), "config.statistics2");
}

TEST_F(CollectorCheckpointTest, OptionsThatDifferInOneFeatureDiffer) {
  const auto writer = New(TwoLayers(), Config());
  const auto restore_into = [&](auto&& change) {
    CollectorInputs inputs = TwoLayers();
    change(inputs.layers[1]);
    return New(inputs, Config())->Restore(writer->CheckpointTensors(), writer->CheckpointMetadata());
  };
  EXPECT_OK(restore_into([](CollectedLayer&) {}));
  for (const auto& change : std::vector<void (*)(CollectedLayer&)>{
           [](auto& layer) { layer.options.feature_ids = at::tensor({200, 3, 4, 17}, at::kLong); },
           [](auto& layer) { layer.options.feature_ids = at::tensor({3, 200, 3, 17}, at::kLong); },
           [](auto& layer) { layer.options.pair_ids = at::tensor({200, 17}, at::kLong); },
           [](auto& layer) { layer.options.groups.erase(StatisticsGroup::kUnits); }}) {
    ExpectRefused(restore_into(change), "config.statistics1");
  }
}

TEST_F(CollectorCheckpointTest, DamagedCheckpointsAreRefusedAndChangeNothing) {
  const auto collector = New(TwoLayers(), Config());
  RunTo(*collector, 24 * 32);
  const TensorMap good = CopyOf(collector->CheckpointTensors());
  const StringMap metadata = collector->CheckpointMetadata();
  const auto restore = [&](auto&& spoil) {
    // With a fault in the second layer the first must stay as it is, too.
    TensorMap tensors = CopyOf(good);
    tensors["statistics0.counts"].add_(1);
    StringMap facts = metadata;
    spoil(tensors, facts);
    return collector->Restore(tensors, facts);
  };
  EXPECT_THAT(restore([](auto& t, auto&) { t.erase("statistics1.act_sum"); }),
              IsError(kInvalid, reason::kTensorMissing));
  EXPECT_THAT(restore([](auto& t, auto&) { t["statistics1.act_sum"] = at::zeros({5}, at::kDouble); }),
              IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(restore([](auto& t, auto&) { t["statistics1.act_sum"] = at::zeros({4}, at::kFloat); }),
              IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(restore([](auto& t, auto&) { t["statistics1.act_sum"].fill_(std::numeric_limits<double>::quiet_NaN()); }),
              IsError(kInvalid, reason::kTensorNotFinite));
  for (const char* end : {"", "-1", "many", "25", "121", "144"}) {
    EXPECT_THAT(restore([&](auto&, auto& m) { m["sequences_end"] = end; }), IsError(kInvalid, reason::kFileCorrupt))
        << end;
  }
  EXPECT_THAT(restore([](auto&, auto& m) { m["format"] = "superpose-midcoder-checkpoint-1"; }),
              IsError(kPrecondition, reason::kFileUnsupported));
  EXPECT_THAT(restore([](auto&, auto& m) { m.erase("format"); }), IsError(kPrecondition, reason::kFileUnsupported));
  ExpectSameBits(collector->CheckpointTensors(), good);
  EXPECT_EQ(collector->tokens_done(), 24 * 32);
}

}  // namespace
}  // namespace superpose
