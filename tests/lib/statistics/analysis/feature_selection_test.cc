#include "lib/statistics/analysis/feature_selection.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::SizeIs;

constexpr StatisticsShape kTiny = {.d_sae = 256, .d_mlp = 128, .d_model = 32};
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

std::vector<int64_t> Values(const at::Tensor& tensor) {
  const at::Tensor ids = tensor.to(at::kLong).contiguous();
  return {ids.const_data_ptr<int64_t>(), ids.const_data_ptr<int64_t>() + ids.numel()};
}

std::shared_ptr<const Transcoder> WithFrequencies() {
  auto transcoder =
      Transcoder::Load({.path = GoldenPath("tiny_transcoder_dunefsky.pt"),
                        .log_sparsity_path = GoldenPath("tiny_transcoder_dunefsky_log_feature_sparsity.pt")},
                       at::kCPU);
  EXPECT_OK(transcoder);
  return transcoder.ok() ? *transcoder : nullptr;
}

// The same without the frequencies of its training, or its first features alone.
std::shared_ptr<const Transcoder> WithoutFrequencies(int64_t d_sae = 256) {
  const auto golden = GoldenTranscoder();
  TranscoderFile file;
  file.format = "dunefsky";
  file.tensors = {{"W_enc", golden->tensor("W_enc").slice(1, 0, d_sae)},
                  {"b_enc", golden->tensor("b_enc").slice(0, 0, d_sae)},
                  {"W_dec", golden->tensor("W_dec").slice(0, 0, d_sae)},
                  {"b_dec", golden->tensor("b_dec")},
                  {"b_dec_out", golden->tensor("b_dec_out")}};
  auto transcoder = Transcoder::Create(file, {}, at::kCPU);
  EXPECT_OK(transcoder);
  return transcoder.ok() ? *transcoder : nullptr;
}

// Of all features, in which feature f was active in f of 1,000 tokens.
SnapshotData Snapshot() {
  auto snapshot = SnapshotData::Create(
      {{"counts", at::full({1}, 1000, at::kLong)}, {"act_counts", at::arange(256, at::kLong)}}, kTiny);
  EXPECT_OK(snapshot);
  return *std::move(snapshot);
}

// The same of features 200, 3, 0 and 3 alone.
SnapshotData SnapshotOfSome() {
  const at::Tensor ids = at::tensor({200, 3, 0, 3}, at::kLong);
  auto snapshot =
      SnapshotData::Create({{"counts", at::full({1}, 1000, at::kLong)}, {"act_counts", ids}, {"feat_ids", ids}}, kTiny);
  EXPECT_OK(snapshot);
  return *std::move(snapshot);
}

class FeatureSelectionTest : public testing::Test {
 protected:
  FeatureSelectionTest() : transcoder_(WithFrequencies()) {}

  absl::StatusOr<std::vector<int64_t>> Select(const FeatureSelection& selection,
                                              const SnapshotData* snapshot = nullptr) {
    auto ids = SelectFeatures(selection, *transcoder_, snapshot);
    if (!ids.ok()) return ids.status();
    EXPECT_EQ(ids->scalar_type(), at::kLong);
    return Values(*ids);
  }

  std::shared_ptr<const Transcoder> transcoder_;
};

// The notebook's band over the sampled features that its mask keeps.
std::set<int64_t> NotebooksBand(const std::string& mask) {
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f32.safetensors");
  const at::Tensor live = notebook.at("feat_ids").masked_select(notebook.at("sparsity_mask").to(at::kBool));
  const std::vector<int64_t> ids = Values(live.masked_select(notebook.at(mask).to(at::kBool)));
  return {ids.begin(), ids.end()};
}

TEST_F(FeatureSelectionTest, OpenBandsAreTheNotebooks) {
  ASSERT_OK_AND_ASSIGN(const SnapshotData snapshot,
                       SnapshotData::Create(GoldenTensors("tiny_stats_d_mlp_f32.safetensors"), kTiny));
  ASSERT_OK_AND_ASSIGN(const auto middle, Select(FrequencyBand{.low = -3, .high = -2.5, .open = true}, &snapshot));
  EXPECT_THAT(middle, SizeIs(7));
  EXPECT_THAT(middle, ElementsAreArray(NotebooksBand("band_med_-3_-2.5_mask")));
  ASSERT_OK_AND_ASSIGN(const auto high, Select(FrequencyBand{.low = -2, .open = true}, &snapshot));
  EXPECT_THAT(high, ElementsAreArray(NotebooksBand("band_high_gt_-2_mask")));
}

TEST_F(FeatureSelectionTest, LiveFeaturesAreThoseOfTheNotebooksMask) {
  ASSERT_OK_AND_ASSIGN(const auto live, Select(FrequencyBand{.low = -4, .open = true}));
  const TensorMap notebook = GoldenTensors("tiny_notebook_d_mlp_f32.safetensors");
  const std::set<int64_t> ids(live.begin(), live.end());
  const std::vector<int64_t> sampled = Values(notebook.at("feat_ids")), mask = Values(notebook.at("sparsity_mask"));
  for (size_t i = 0; i < sampled.size(); ++i) EXPECT_EQ(ids.count(sampled[i]), mask[i]) << sampled[i];
}

TEST_F(FeatureSelectionTest, NothingSetMeansAll) {
  ASSERT_OK_AND_ASSIGN(const auto all, Select({}));
  EXPECT_EQ(all, Values(at::arange(256)));
  const SnapshotData snapshot = Snapshot(), some = SnapshotOfSome();
  ASSERT_OK_AND_ASSIGN(const auto of_all, Select({}, &snapshot));
  EXPECT_EQ(of_all, all);
  ASSERT_OK_AND_ASSIGN(const auto of_some, Select({}, &some));
  EXPECT_THAT(of_some, ElementsAre(0, 3, 200));
}

TEST_F(FeatureSelectionTest, IdsKeepTheirOrderAndStandTwice) {
  const SnapshotData some = SnapshotOfSome();
  ASSERT_OK_AND_ASSIGN(const auto ids, Select(std::vector<int64_t>{255, 0, 7, 0}, &some));
  EXPECT_THAT(ids, ElementsAre(255, 0, 7, 0));
  EXPECT_THAT(Select(std::vector<int64_t>{0, 256}),
              AllOf(IsError(kInvalid, reason::kFeatureOutOfRange), MessageHas("0 .. 255, and 256 is not")));
  EXPECT_THAT(Select(std::vector<int64_t>{-1}), IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Select(std::vector<int64_t>{}), IsError(kPrecondition, reason::kEmptySelection));
}

TEST_F(FeatureSelectionTest, AListIsNoLongerThanItNeedsToBe) {
  EXPECT_OK(SelectFeatures(std::vector<int64_t>(4096, 3), *transcoder_, nullptr));
  EXPECT_THAT(SelectFeatures(std::vector<int64_t>(4097, 3), *transcoder_, nullptr),
              IsError(kInvalid, reason::kConfigInvalid));
}

TEST_F(FeatureSelectionTest, RangesLieInsideTheTranscoder) {
  ASSERT_OK_AND_ASSIGN(const auto ids, Select(FeatureRange{.start = 253, .stop = 256}));
  EXPECT_THAT(ids, ElementsAre(253, 254, 255));
  EXPECT_THAT(Select(FeatureRange{.start = 0, .stop = 257}), IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Select(FeatureRange{.start = -1, .stop = 4}), IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Select(FeatureRange{.start = INT64_MIN, .stop = INT64_MAX}),
              IsError(kInvalid, reason::kFeatureOutOfRange));
  EXPECT_THAT(Select(FeatureRange{.start = 4, .stop = 4}), IsError(kPrecondition, reason::kEmptySelection));
  EXPECT_THAT(Select(FeatureRange{.start = 5, .stop = 4}), IsError(kPrecondition, reason::kEmptySelection));
}

TEST_F(FeatureSelectionTest, ABandHoldsItsLowEndAndNotItsHighEnd) {
  const SnapshotData snapshot = Snapshot();
  const double at_10 = std::log10(10 / 1000.0), at_12 = std::log10(12 / 1000.0);
  FrequencyBand band = {.low = at_10, .high = at_12, .by = FrequencySource::kSnapshot};
  ASSERT_OK_AND_ASSIGN(const auto closed, Select(band, &snapshot));
  EXPECT_THAT(closed, ElementsAre(10, 11));
  band.open = true;
  ASSERT_OK_AND_ASSIGN(const auto open, Select(band, &snapshot));
  EXPECT_THAT(open, ElementsAre(11));
}

TEST_F(FeatureSelectionTest, AFeatureThatWasNeverActiveIsInNoBandWithALowEnd) {
  const SnapshotData snapshot = Snapshot();
  FrequencyBand band = {.high = std::log10(0.0025), .by = FrequencySource::kSnapshot};
  ASSERT_OK_AND_ASSIGN(const auto without_low, Select(band, &snapshot));
  EXPECT_THAT(without_low, ElementsAre(0, 1, 2));
  band.low = -HUGE_VAL;
  ASSERT_OK_AND_ASSIGN(const auto with_low, Select(band, &snapshot));
  EXPECT_THAT(with_low, ElementsAre(1, 2));
}

TEST_F(FeatureSelectionTest, ABandHoldsCoveredFeaturesOnly) {
  const SnapshotData some = SnapshotOfSome();
  ASSERT_OK_AND_ASSIGN(const auto by_snapshot, Select(FrequencyBand{.by = FrequencySource::kSnapshot}, &some));
  EXPECT_THAT(by_snapshot, ElementsAre(0, 3, 200));
  ASSERT_OK_AND_ASSIGN(const auto by_training, Select(FrequencyBand{.by = FrequencySource::kTraining}, &some));
  EXPECT_THAT(by_training, ElementsAre(0, 3, 200));
}

TEST_F(FeatureSelectionTest, AnEmptyBandSaysWhatLiesAroundIt) {
  const SnapshotData snapshot = Snapshot();
  const FrequencyBand gap = {.low = std::log10(0.0031), .high = std::log10(0.0039), .by = FrequencySource::kSnapshot};
  EXPECT_THAT(Select(gap, &snapshot),
              AllOf(IsError(kPrecondition, reason::kEmptySelection), MessageHas("of 256, 4 lie below and 252 above"),
                    MessageHas("reach from -3 to -0.593")));
  EXPECT_THAT(Select(FrequencyBand{.low = 0.5}),
              AllOf(IsError(kPrecondition, reason::kEmptySelection), MessageHas("256 lie below and 0 above")));
}

TEST_F(FeatureSelectionTest, BandsThatAreNoneAreRefused) {
  for (const FrequencyBand& band :
       {FrequencyBand{.low = -2, .high = -2}, FrequencyBand{.low = -2, .high = -3}, FrequencyBand{.low = NAN},
        FrequencyBand{.high = NAN}, FrequencyBand{.low = -3, .high = NAN}}) {
    EXPECT_THAT(Select(band), IsError(kInvalid, reason::kConfigInvalid));
  }
}

TEST_F(FeatureSelectionTest, FrequenciesOfTrainingAreTheFilesAndThoseOfASnapshotItsCounts) {
  const SnapshotData snapshot = Snapshot(), some = SnapshotOfSome();
  const at::Tensor training = GoldenTensors("tiny_transcoder.safetensors").at("log_feature_sparsity");
  ASSERT_OK_AND_ASSIGN(const at::Tensor by_default,
                       Log10Frequencies(*transcoder_, &snapshot, FrequencySource::kDefault));
  EXPECT_EQ(by_default.scalar_type(), at::kDouble);
  EXPECT_TRUE(at::equal(by_default, training.to(at::kDouble)));
  ASSERT_OK_AND_ASSIGN(const at::Tensor counted, Log10Frequencies(*transcoder_, &some, FrequencySource::kSnapshot));
  ASSERT_EQ(counted.sizes(), at::IntArrayRef({256}));
  EXPECT_EQ(counted.isnan().sum().item<int64_t>(), 253);
  EXPECT_EQ(counted[0].item<double>(), -HUGE_VAL);
  EXPECT_NEAR(counted[3].item<double>(), std::log10(0.003), 1e-15);
  EXPECT_NEAR(counted[200].item<double>(), std::log10(0.2), 1e-15);
}

TEST_F(FeatureSelectionTest, WithoutFrequenciesOfTrainingASnapshotsAreTheDefault) {
  const auto bare = WithoutFrequencies();
  const SnapshotData snapshot = Snapshot();
  ASSERT_OK_AND_ASSIGN(const at::Tensor counted, Log10Frequencies(*bare, &snapshot, FrequencySource::kDefault));
  EXPECT_NEAR(counted[100].item<double>(), -1, 1e-15);
  EXPECT_THAT(Log10Frequencies(*bare, nullptr, FrequencySource::kDefault),
              IsError(kPrecondition, reason::kFrequenciesMissing));
  EXPECT_THAT(Log10Frequencies(*bare, &snapshot, FrequencySource::kTraining),
              AllOf(IsError(kPrecondition, reason::kFrequenciesMissing), MessageHas("log_sparsity_path")));
  EXPECT_THAT(Log10Frequencies(*transcoder_, nullptr, FrequencySource::kSnapshot),
              IsError(kPrecondition, reason::kFrequenciesMissing));
  EXPECT_THAT(SelectFeatures(FrequencyBand{.low = -3}, *bare, nullptr),
              IsError(kPrecondition, reason::kFrequenciesMissing));
}

TEST_F(FeatureSelectionTest, ASnapshotOfAnotherTranscoderIsRefused) {
  const auto narrower = WithoutFrequencies(128);
  const SnapshotData snapshot = Snapshot();
  EXPECT_THAT(SelectFeatures({}, *narrower, &snapshot), IsError(kPrecondition, reason::kSnapshotMismatch));
  EXPECT_THAT(Log10Frequencies(*narrower, &snapshot, FrequencySource::kSnapshot),
              IsError(kPrecondition, reason::kSnapshotMismatch));
}

}  // namespace
}  // namespace superpose
