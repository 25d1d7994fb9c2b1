#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ::testing::ElementsAre;

class TensorCallsTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    absl::StatusOr<Tensor> whole = client().ReadTensor(kTranscoder, "W_dec");
    ASSERT_OK(whole);
    whole_ = *std::move(whole);
    ASSERT_THAT(whole_.shape, ElementsAre(256, 32));
  }

  static constexpr char kTranscoder[] = "models/tiny/transcoders/layer1";
  static constexpr size_t kRowBytes = 32 * sizeof(float);

  std::string Row(size_t row) const { return whole_.bytes.substr(row * kRowBytes, kRowBytes); }

  Tensor whole_;
};

TEST_F(TensorCallsTest, ARangeOfRowsIsAPartOfTheWhole) {
  ASSERT_OK_AND_ASSIGN(Tensor part, client().ReadTensor(kTranscoder, "W_dec", {Slice::Range(3, 5)}));
  EXPECT_THAT(part.shape, ElementsAre(2, 32));
  EXPECT_EQ(part.data_type, v1::DATA_TYPE_FLOAT32);
  EXPECT_EQ(part.bytes, Row(3) + Row(4));
}

TEST_F(TensorCallsTest, ChosenRowsComeInTheOrderGiven) {
  ASSERT_OK_AND_ASSIGN(Tensor part, client().ReadTensor(kTranscoder, "W_dec", {Slice::Indices({255, 0, 255})}));
  EXPECT_THAT(part.shape, ElementsAre(3, 32));
  EXPECT_EQ(part.bytes, Row(255) + Row(0) + Row(255));
}

TEST_F(TensorCallsTest, ASliceOfColumnsLeavesTheRowsWhole) {
  ASSERT_OK_AND_ASSIGN(Tensor part, client().ReadTensor(kTranscoder, "W_dec", {Slice(), Slice::Range(31, 32)}));
  EXPECT_THAT(part.shape, ElementsAre(256, 1));
  EXPECT_EQ(part.bytes.substr(4, 4), Row(1).substr(kRowBytes - 4));
}

TEST_F(TensorCallsTest, AnEmptySliceHasNoBytes) {
  ASSERT_OK_AND_ASSIGN(Tensor part, client().ReadTensor(kTranscoder, "W_dec", {Slice::Range(7, 7)}));
  EXPECT_THAT(part.shape, ElementsAre(0, 32));
  EXPECT_EQ(part.bytes, "");
}

TEST_F(TensorCallsTest, MoreThanAChunkIsPutTogether) {
  // 4 MiB of rows, again and again.
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 32768; ++i) rows.push_back(i % 256);
  ASSERT_OK_AND_ASSIGN(Tensor part, client().ReadTensor(kTranscoder, "W_dec", {Slice::Indices(rows)}));
  ASSERT_EQ(part.bytes.size(), 32768 * kRowBytes);
  for (size_t i = 0; i < 128; ++i)
    ASSERT_EQ(part.bytes.compare(i * whole_.bytes.size(), whole_.bytes.size(), whole_.bytes), 0) << i;
}

TEST_F(TensorCallsTest, EveryTensorOfAModelHasTheShapeItIsSaidToHave) {
  ASSERT_OK_AND_ASSIGN(v1::Model model, client().GetModel());
  ASSERT_GT(model.tensors_size(), 0);
  for (const v1::TensorInfo& info : model.tensors()) {
    ASSERT_OK_AND_ASSIGN(Tensor tensor, client().ReadTensor(model.name(), info.name()));
    EXPECT_EQ(tensor.shape, std::vector<int64_t>(info.shape().begin(), info.shape().end())) << info.name();
    EXPECT_EQ(tensor.data_type, info.data_type()) << info.name();
  }
}

TEST_F(TensorCallsTest, MistakesHaveTheirCodeAndReason) {
  EXPECT_THAT(client().ReadTensor(kTranscoder, "W_none"), FailsWith(absl::StatusCode::kNotFound, "TENSOR_MISSING"));
  EXPECT_THAT(client().ReadTensor(kTranscoder, "W_dec", {Slice::Range(0, 257)}),
              FailsWith(absl::StatusCode::kInvalidArgument, "SLICE_OUT_OF_RANGE"));
  EXPECT_THAT(client().ReadTensor(kTranscoder, "W_dec", {Slice::Indices({256})}),
              FailsWith(absl::StatusCode::kInvalidArgument, "SLICE_OUT_OF_RANGE"));
  EXPECT_THAT(client().ReadTensor(kTranscoder, "W_dec", {Slice(), Slice(), Slice()}),
              FailsWith(absl::StatusCode::kInvalidArgument, "SLICE_OUT_OF_RANGE"));
  EXPECT_THAT(client().ReadTensor("midcoders/none", "W_mid"),
              FailsWith(absl::StatusCode::kNotFound, "MIDCODER_NOT_FOUND"));
}

TEST_F(TensorCallsTest, ADeadlineThatHasPassedIsExceeded) {
  ASSERT_OK_AND_ASSIGN(Client impatient, server().Connect({.stream_deadline = absl::Seconds(-1)}));
  EXPECT_EQ(impatient.ReadTensor(kTranscoder, "W_dec").status().code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace superpose::client
