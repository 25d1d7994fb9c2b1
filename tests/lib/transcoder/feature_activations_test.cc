#include "lib/transcoder/feature_activations.h"

#include <ATen/ATen.h>

#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kPositions = 64, kVocabulary = 256;

at::Tensor Dense(const SparseActivations& z) {
  const at::Tensor counts = z.row_splits.slice(0, 1) - z.row_splits.slice(0, 0, z.rows());
  const at::Tensor rows = at::repeat_interleave(counts);
  return at::zeros({z.rows(), z.d_sae}).index_put_({rows, z.feature_ids.to(at::kLong)}, z.values);
}

TokenSequence CountUp(int64_t length, int32_t start = 0) {
  TokenSequence sequence(length);
  for (int64_t i = 0; i < length; ++i) sequence[i] = static_cast<int32_t>((start + 7 * i) % kVocabulary);
  return sequence;
}

class FeatureActivationsTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    transcoder_ = GoldenTranscoder();
    ASSERT_TRUE(model_ && transcoder_);
    golden_ = GoldenTensors("tiny_transcoder.safetensors");
  }
  std::vector<SparseActivations> Compute(const std::vector<int64_t>& layers,
                                         const std::vector<TokenSequence>& sequences) const {
    std::vector<LayerTranscoder> asked;
    for (const int64_t layer : layers) asked.push_back({layer, transcoder_.get()});
    auto computed = ComputeFeatureActivations(*model_, asked, sequences);
    EXPECT_OK(computed);
    return computed.ok() ? *computed : std::vector<SparseActivations>(layers.size());
  }
  // The golden batch's sequences, each cut to its own length.
  std::vector<TokenSequence> GoldenSequences(const std::vector<int64_t>& lengths) const {
    const at::Tensor tokens = golden_.at("batches")[0].contiguous();
    std::vector<TokenSequence> sequences;
    for (size_t i = 0; i < lengths.size(); ++i) {
      const int32_t* row = tokens.const_data_ptr<int32_t>() + i * 32;
      sequences.emplace_back(row, row + lengths[i]);
    }
    return sequences;
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  TensorMap golden_;
};

TEST_F(FeatureActivationsTest, EqualTheReferenceFromTokensOn) {
  const auto z = Compute({1}, GoldenSequences(std::vector<int64_t>(8, 32)));
  ASSERT_EQ(z.size(), 1U);
  EXPECT_LT(LargestError(Dense(z[0]), golden_.at("acts")), 4e-6);
}

TEST_F(FeatureActivationsTest, SequencesOfDifferentLengthsEqualTheReferencesPrefixes) {
  const std::vector<int64_t> lengths = {5, 32, 1, 17, 2, 32, 8, 31};
  const auto z = Compute({1}, GoldenSequences(lengths));
  std::vector<at::Tensor> expected;
  for (size_t i = 0; i < lengths.size(); ++i)
    expected.push_back(golden_.at("acts").slice(0, i * 32, i * 32 + lengths[i]));
  EXPECT_LT(LargestError(Dense(z[0]), at::cat(expected)), 4e-6);
}

TEST_F(FeatureActivationsTest, EachSequenceIsAsIfItWereAlone) {
  const std::vector<TokenSequence> sequences = {CountUp(3), CountUp(kPositions, 5), CountUp(1, 9), CountUp(20, 2)};
  const auto together = Compute({0, 2}, sequences);
  for (size_t layer = 0; layer < together.size(); ++layer) {
    std::vector<at::Tensor> alone;
    for (const TokenSequence& sequence : sequences)
      alone.push_back(Dense(Compute({layer == 0 ? 0 : 2}, {sequence})[0]));
    EXPECT_LT(LargestError(Dense(together[layer]), at::cat(alone)), 4e-6) << layer;
  }
}

TEST_F(FeatureActivationsTest, ManySequencesGoByBatchesInTheirOrder) {
  // 200 x 64 tokens are more than three batches of 4,096, with a short sequence among them.
  std::vector<TokenSequence> sequences;
  for (int32_t i = 0; i < 200; ++i) sequences.push_back(CountUp(i == 77 ? 3 : kPositions, i));
  const auto z = Compute({1}, sequences);
  ASSERT_EQ(z[0].rows(), 199 * kPositions + 3);
  int64_t row = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto length = static_cast<int64_t>(sequences[i].size());
    if (i % 33 == 0 || i == 77 || i == 199) {
      const at::Tensor alone = Dense(Compute({1}, {sequences[i]})[0]);
      EXPECT_LT(LargestError(Dense(SliceRows(z[0], row, row + length)), alone), 4e-6) << i;
    }
    row += length;
  }
}

TEST_F(FeatureActivationsTest, LayersComeInTheOrderTheyWereAskedForAndMayRepeat) {
  const std::vector<TokenSequence> sequences = {CountUp(30)};
  const auto z = Compute({2, 0, 2}, sequences);
  ASSERT_EQ(z.size(), 3U);
  for (const size_t i : {0U, 1U, 2U}) {
    ASSERT_OK_AND_ASSIGN(const MlpTensors mlp,
                         model_->RunToMlp(at::tensor(sequences[0], at::kInt).unsqueeze(0), i == 1 ? 0 : 2));
    ASSERT_OK_AND_ASSIGN(const SparseActivations expected, transcoder_->Encode(mlp.x_hat.flatten(0, 1)));
    EXPECT_LT(LargestError(Dense(z[i]), Dense(expected)), 4e-6) << i;
  }
  EXPECT_GT(LargestError(Dense(z[0]), Dense(z[1])), 1e-2);
}

TEST_F(FeatureActivationsTest, SequencesThatTheModelCannotTakeAreNamed) {
  EXPECT_THAT(CheckSequences(*model_, {}), IsError(kInvalid, reason::kEmptyInput));
  const absl::Status empty = CheckSequences(*model_, {{1}, {}});
  EXPECT_THAT(empty, IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(empty, MessageHas("sequence 1"));
  const absl::Status long_one = CheckSequences(*model_, {{1}, {2}, CountUp(kPositions + 1)});
  EXPECT_THAT(long_one, IsError(kInvalid, reason::kContextExceeded));
  EXPECT_THAT(long_one, MessageHas("sequence 2 has 65 tokens"));
  for (const int32_t id : {-1, 256, INT32_MAX, INT32_MIN}) {
    const absl::Status status = CheckSequences(*model_, {{0, 255}, {3, 4, id}});
    EXPECT_THAT(status, IsError(kInvalid, reason::kTokenOutOfRange)) << id;
    EXPECT_THAT(status, MessageHas("sequence 1, position 2"));
  }
  EXPECT_OK(CheckSequences(*model_, {{0}, {255}, CountUp(kPositions)}));
}

TEST_F(FeatureActivationsTest, WrongRequestsAreRefused) {
  const LayerTranscoder good = {1, transcoder_.get()};
  EXPECT_THAT(ComputeFeatureActivations(*model_, {}, {{1}}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeFeatureActivations(*model_, {good}, {}), IsError(kInvalid, reason::kEmptyInput));
  EXPECT_THAT(ComputeFeatureActivations(*model_, {good}, {{256}}), IsError(kInvalid, reason::kTokenOutOfRange));
  for (const int64_t layer : {-1, 3}) {
    EXPECT_THAT(ComputeFeatureActivations(*model_, {good, {layer, transcoder_.get()}}, {{1}}),
                IsError(kInvalid, reason::kLayerOutOfRange));
  }
}

TEST_F(FeatureActivationsTest, ATranscoderOfAnotherModelIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto small, Transcoder::Load({SUPERPOSE_TEST_DATA "/transcoder/sound.pt", ""}, at::kCPU));
  EXPECT_THAT(ComputeFeatureActivations(*model_, {{1, small.get()}}, {{1}}),
              IsError(kInvalid, reason::kTranscoderMismatch));
}

}  // namespace
}  // namespace superpose
