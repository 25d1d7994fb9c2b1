#include "server/services/tensor_selection.h"

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;
using Slices = google::protobuf::RepeatedPtrField<v1::DimensionSlice>;

v1::DimensionSlice Range(int64_t start, int64_t stop) {
  v1::DimensionSlice slice;
  slice.mutable_range()->set_start(start);
  slice.mutable_range()->set_stop(stop);
  return slice;
}

v1::DimensionSlice Indices(const std::vector<int64_t>& values) {
  v1::DimensionSlice slice;
  slice.mutable_indices()->mutable_values()->Add(values.begin(), values.end());
  return slice;
}

Slices Of(const std::vector<v1::DimensionSlice>& slices) { return {slices.begin(), slices.end()}; }

TensorSelection Select(const at::Tensor& tensor, const std::vector<v1::DimensionSlice>& slices) {
  auto selection = TensorSelection::Create(tensor, Of(slices));
  EXPECT_OK(selection);
  return *std::move(selection);
}

std::string BytesOf(const at::Tensor& tensor) {
  const at::Tensor contiguous = tensor.contiguous();
  return {static_cast<const char*>(contiguous.const_data_ptr()), contiguous.nbytes()};
}

std::string ReasonAgainst(const at::Tensor& tensor, const std::vector<v1::DimensionSlice>& slices) {
  const auto selection = TensorSelection::Create(tensor, Of(slices));
  EXPECT_EQ(selection.status().code(), absl::StatusCode::kInvalidArgument);
  return ReasonOf(selection.status());
}

const at::Tensor kMatrix = at::arange(35, at::kFloat).view({5, 7});

// As for a tensor on an accelerator: there the selection is made before anything is copied.
TEST(SelectToCpuTest, IsTheSelection) {
  const at::Tensor cube = at::arange(2 * 3 * 5, at::kInt).view({2, 3, 5}).permute({2, 0, 1});
  const std::vector<std::vector<v1::DimensionSlice>> all = {{},
                                                            {Range(1, 4)},
                                                            {Range(2, 2)},
                                                            {Range(1, 4), Indices({1, 0, 1}), Range(0, 2)},
                                                            {Indices({4, 0}), v1::DimensionSlice(), Indices({2})},
                                                            {Indices({}), Range(0, 2)}};
  for (const auto& slices : all) {
    MemoryBudget budget(1000);
    const TensorSelection wanted = Select(cube, slices);
    const auto selected = SelectToCpu(cube, Of(slices), &budget);
    ASSERT_OK(selected);
    EXPECT_EQ(selected->sizes(), at::IntArrayRef(wanted.shape()));
    EXPECT_EQ(BytesOf(*selected), wanted.Copy(0, wanted.bytes()));
  }
}

TEST(SelectToCpuTest, WhatIsOutsideIsRefused) {
  MemoryBudget budget(1000);
  EXPECT_EQ(ReasonOf(SelectToCpu(kMatrix, Of({Range(0, 6)}), &budget).status()), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(SelectToCpu(kMatrix, Of({Indices({-1})}), &budget).status()), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(SelectToCpu(kMatrix, Of({Range(0, 1), Range(0, 1), Range(0, 1)}), &budget).status()),
            "SLICE_OUT_OF_RANGE");
}

TEST(SelectToCpuTest, WhatIsHeldToBeReadIsReservedUntilItGoes) {
  MemoryBudget budget(1000);
  auto selected = SelectToCpu(kMatrix, Of({Range(0, 3), Indices({6, 0})}), &budget);
  ASSERT_OK(selected);
  EXPECT_EQ(budget.used_bytes(), 3 * 2 * 4);
  std::optional<at::Tensor> other = selected->narrow(0, 1, 1);
  *selected = at::Tensor();
  EXPECT_EQ(budget.used_bytes(), 3 * 2 * 4) << "a view keeps all of it";
  other.reset();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(SelectToCpuTest, WhatDoesNotFitIsRefusedWithItsFigure) {
  MemoryBudget budget(100);
  const auto refused = SelectToCpu(kMatrix, {}, &budget);
  EXPECT_EQ(ReasonOf(refused.status()), "MEMORY_EXCEEDED");
  EXPECT_THAT(std::string(refused.status().message()), testing::HasSubstr("needs 140 B of memory"));
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(TensorSelectionTest, AMillionIndicesOfADimensionAreEnough) {
  const auto most = TensorSelection::Create(kMatrix, Of({Indices(std::vector<int64_t>(1 << 20, 4))}));
  ASSERT_OK(most);
  EXPECT_EQ(most->bytes(), (int64_t{1} << 20) * 7 * 4);
  EXPECT_EQ(ReasonAgainst(kMatrix, {Indices(std::vector<int64_t>((1 << 20) + 1, 4))}), "SLICE_OUT_OF_RANGE");
}

TEST(TensorSelectionTest, WithoutSlicesItIsTheWholeTensor) {
  const TensorSelection all = Select(kMatrix, {});
  EXPECT_THAT(all.shape(), ElementsAre(5, 7));
  EXPECT_EQ(all.Copy(0, all.bytes()), BytesOf(kMatrix));
}

TEST(TensorSelectionTest, RangesOfBothDimensions) {
  const TensorSelection part = Select(kMatrix, {Range(1, 4), Range(2, 5)});
  EXPECT_THAT(part.shape(), ElementsAre(3, 3));
  EXPECT_EQ(part.Copy(0, part.bytes()), BytesOf(kMatrix.narrow(0, 1, 3).narrow(1, 2, 3)));
}

TEST(TensorSelectionTest, IndicesComeInTheOrderGivenAndMayRepeat) {
  const TensorSelection part = Select(kMatrix, {Indices({4, 0, 4}), Indices({6, 1})});
  const at::Tensor expected =
      kMatrix.index_select(0, at::tensor({4, 0, 4}, at::kLong)).index_select(1, at::tensor({6, 1}, at::kLong));
  EXPECT_EQ(part.Copy(0, part.bytes()), BytesOf(expected));
}

TEST(TensorSelectionTest, AnyStretchEqualsThatStretchOfTheWhole) {
  const TensorSelection part = Select(kMatrix, {Indices({3, 1, 2}), Range(1, 6)});
  const std::string whole = part.Copy(0, part.bytes());
  for (int64_t offset = 0; offset <= part.bytes(); offset += 4) {
    for (int64_t size = 0; offset + size <= part.bytes(); size += 4)
      EXPECT_EQ(part.Copy(offset, size), whole.substr(offset, size));
  }
}

TEST(TensorSelectionTest, StridedTensorsAreReadRowMajor) {
  const TensorSelection transposed = Select(kMatrix.t(), {Range(2, 4), {}});
  EXPECT_EQ(transposed.Copy(0, transposed.bytes()), BytesOf(kMatrix.t().narrow(0, 2, 2)));
}

TEST(TensorSelectionTest, EveryRankAndElementSize) {
  const at::Tensor cube = at::arange(24, at::kLong).view({2, 3, 4});
  const TensorSelection part = Select(cube, {Indices({1}), {}, Indices({3, 0})});
  EXPECT_THAT(part.shape(), ElementsAre(1, 3, 2));
  EXPECT_EQ(part.Copy(0, part.bytes()), BytesOf(cube.narrow(0, 1, 1).index_select(2, at::tensor({3, 0}, at::kLong))));
  const TensorSelection scalar = Select(at::scalar_tensor(2.5), {});
  EXPECT_THAT(scalar.shape(), ElementsAre());
  EXPECT_EQ(scalar.Copy(0, scalar.bytes()), BytesOf(at::scalar_tensor(2.5)));
}

TEST(TensorSelectionTest, EmptySelectionsHaveNoBytes) {
  EXPECT_EQ(Select(kMatrix, {Range(2, 2)}).bytes(), 0);
  EXPECT_EQ(Select(kMatrix, {{}, Range(0, 0)}).bytes(), 0);
  EXPECT_THAT(Select(kMatrix, {{}, Range(0, 0)}).shape(), ElementsAre(5, 0));
  EXPECT_EQ(Select(at::empty({0, 3}), {}).bytes(), 0);
}

TEST(TensorSelectionTest, WhatLeavesTheTensorIsRefused) {
  EXPECT_EQ(ReasonAgainst(kMatrix, {Range(0, 6)}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonAgainst(kMatrix, {Range(-1, 2)}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonAgainst(kMatrix, {Range(3, 2)}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonAgainst(kMatrix, {Indices({5})}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonAgainst(kMatrix, {Indices({-1})}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonAgainst(kMatrix, {{}, {}, {}}), "SLICE_OUT_OF_RANGE");
}

TEST(TensorSelectionTest, RepeatedIndicesThatMultiplyBeyondAnyTensorAreRefused) {
  const v1::DimensionSlice many = Indices(std::vector<int64_t>(1 << 16, 0));
  const at::Tensor of_rank_4 = at::zeros({1, 1, 1, 1});
  EXPECT_EQ(ReasonAgainst(of_rank_4, {many, many, many}), "SLICE_OUT_OF_RANGE");
  EXPECT_EQ(ReasonAgainst(of_rank_4, {many, many, many, many}), "SLICE_OUT_OF_RANGE") << "2^64 elements";
}

}  // namespace
}  // namespace superpose
