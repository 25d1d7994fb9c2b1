#include "client/cpp/tensor.h"

#include <cstring>

#include "tests/client/matchers.h"

namespace superpose::client {
namespace {

using ::testing::ElementsAre;

TEST(TensorTest, ValuesAreTheBytesAsTheirType) {
  Tensor tensor{v1::DATA_TYPE_FLOAT32, {2, 1}, std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8)};
  ASSERT_OK_AND_ASSIGN(absl::Span<const float> values, tensor.Values<float>());
  EXPECT_THAT(values, ElementsAre(1.0F, -2.0F));
  EXPECT_EQ(tensor.elements(), 2);
}

TEST(TensorTest, ValuesOfAnotherTypeAreRefused) {
  Tensor tensor{v1::DATA_TYPE_INT64, {1}, std::string(8, '\0')};
  EXPECT_OK(tensor.Values<int64_t>());
  EXPECT_EQ(tensor.Values<double>().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(tensor.Values<float>(), MessageHas("int64"));
}

TEST(TensorTest, AScalarHasOneElementAndAnEmptyDimensionNone) {
  EXPECT_EQ((Tensor{v1::DATA_TYPE_BOOL, {}, "\1"}).elements(), 1);
  EXPECT_EQ((Tensor{v1::DATA_TYPE_BOOL, {5, 0}, ""}).elements(), 0);
}

TEST(TensorTest, ElementSizesAreThoseOfTheTypes) {
  EXPECT_EQ(ElementSize(v1::DATA_TYPE_FLOAT64), 8);
  EXPECT_EQ(ElementSize(v1::DATA_TYPE_INT32), 4);
  EXPECT_EQ(ElementSize(v1::DATA_TYPE_BFLOAT16), 2);
  EXPECT_EQ(ElementSize(v1::DATA_TYPE_BOOL), 1);
  EXPECT_EQ(ElementSize(v1::DATA_TYPE_UNSPECIFIED), 0);
  EXPECT_EQ(ElementSize(static_cast<v1::DataType>(99)), 0);
}

TEST(SliceTest, SlicesTravelAsRangesIndicesOrNothing) {
  EXPECT_EQ(Slice().ToProto().selection_case(), v1::DimensionSlice::SELECTION_NOT_SET);
  v1::DimensionSlice range = Slice::Range(2, 5).ToProto();
  EXPECT_EQ(range.range().start(), 2);
  EXPECT_EQ(range.range().stop(), 5);
  EXPECT_THAT(Slice::Indices({4, 4, 0}).ToProto().indices().values(), ElementsAre(4, 4, 0));
  EXPECT_TRUE(Slice::Indices({}).ToProto().has_indices());
}

}  // namespace
}  // namespace superpose::client
