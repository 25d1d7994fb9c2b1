#include "lib/transcoder/sparse_activations.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/transcoder/compress.h"
#include "tests/support/devices.h"

namespace superpose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <typename T>
std::vector<T> ToVector(const at::Tensor& tensor) {
  EXPECT_TRUE(tensor.is_contiguous());
  const at::Tensor host = tensor.cpu();
  return {host.const_data_ptr<T>(), host.const_data_ptr<T>() + host.numel()};
}
std::vector<int64_t> Splits(const SparseActivations& z) { return ToVector<int64_t>(z.row_splits); }
std::vector<int32_t> Ids(const SparseActivations& z) { return ToVector<int32_t>(z.feature_ids); }
std::vector<float> Values(const SparseActivations& z) { return ToVector<float>(z.values); }

class SparseActivationsTest : public DeviceTest {
 protected:
  SparseActivations Make(const std::vector<int64_t>& splits, const std::vector<int32_t>& ids,
                         const std::vector<float>& values, int64_t d_sae) const {
    return {at::tensor(splits, at::kLong).to(device()), at::tensor(ids, at::kInt).to(device()),
            at::tensor(values, at::kFloat).to(device()), d_sae};
  }
  // Rows {1: 3, 4: 1, 5: 3}, {}, {0: 2}, {2: 5, 3: 5, 4: 5, 5: 6}.
  SparseActivations FourRows() const {
    return Make({0, 3, 3, 4, 8}, {1, 4, 5, 0, 2, 3, 4, 5}, {3, 1, 3, 2, 5, 5, 5, 6}, 6);
  }
  SparseActivations Compress(const at::Tensor& pre_activations) const {
    const at::Tensor on_device = pre_activations.to(device());
    return CompressAbove(on_device, at::zeros({on_device.size(1)}, on_device.options()));
  }
};

at::Tensor Dense(const SparseActivations& z) {
  at::Tensor dense = at::zeros({z.rows(), z.d_sae});
  for (int64_t row = 0; row < z.rows(); ++row) {
    for (int64_t entry = Splits(z)[row]; entry < Splits(z)[row + 1]; ++entry)
      dense[row][Ids(z)[entry]] = Values(z)[entry];
  }
  return dense;
}

class CompressAboveTest : public SparseActivationsTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CompressAboveTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(CompressAboveTest, KeepsThePositiveEntriesInOrder) {
  const SparseActivations z =
      Compress(at::tensor({0.0F, 2.0F, -1.0F, 0.5F, -0.0F, 0.0F, -3.0F, 0.0F, 1e-45F, 0.0F, 0.0F, 7.0F}).view({3, 4}));
  EXPECT_THAT(Splits(z), ElementsAre(0, 2, 2, 4));
  EXPECT_THAT(Ids(z), ElementsAre(1, 3, 0, 3));
  EXPECT_THAT(Values(z), ElementsAre(2.0F, 0.5F, 1e-45F, 7.0F));
  EXPECT_EQ(z.d_sae, 4);
}

TEST_P(CompressAboveTest, NanIsInactiveAndInfinityIsActive) {
  const SparseActivations z = Compress(at::tensor({kNan, kInfinity, -kInfinity, -kNan, 1.0F}).view({1, 5}));
  EXPECT_THAT(Ids(z), ElementsAre(1, 4));
  EXPECT_THAT(Values(z), ElementsAre(kInfinity, 1.0F));
}

TEST_P(CompressAboveTest, NoRowsAndRowsWithoutEntriesAreRepresented) {
  const SparseActivations no_rows = Compress(at::empty({0, 5}));
  EXPECT_THAT(Splits(no_rows), ElementsAre(0));
  EXPECT_EQ(no_rows.rows(), 0);
  EXPECT_EQ(no_rows.entries(), 0);
  const SparseActivations no_entries = Compress(at::full({2, 5}, -1.0F));
  EXPECT_THAT(Splits(no_entries), ElementsAre(0, 0, 0));
  EXPECT_THAT(Ids(no_entries), IsEmpty());
}

TEST_P(CompressAboveTest, WidthsAroundTheBlocksOfTheLoopLoseNothing) {
  for (const int64_t width : {1, 63, 64, 65, 127, 128, 129, 1000}) {
    const at::Tensor index = at::arange(5 * width, at::kFloat).view({5, width});
    for (const float shift : {-0.9F, 0.0F, 2.0F}) {
      const at::Tensor pre = (index * 1.7F).sin() + shift;
      const SparseActivations z = Compress(pre);
      EXPECT_TRUE(at::equal(Dense(z), at::relu(pre))) << width << " " << shift;
    }
  }
}

TEST_P(CompressAboveTest, ATransposedInputIsReadByItsStrides) {
  const at::Tensor pre = at::tensor({1.0F, -1.0F, 0.0F, 2.0F, 3.0F, -5.0F}).view({2, 3}).t();
  EXPECT_TRUE(at::equal(Dense(Compress(pre)), at::relu(pre)));
}

class KeepTopKTest : public SparseActivationsTest {};
INSTANTIATE_TEST_SUITE_P(Devices, KeepTopKTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(KeepTopKTest, KeepsTheLargestAndTheLowerIdOfATie) {
  const SparseActivations z = KeepTopK(FourRows(), 2);
  EXPECT_THAT(Splits(z), ElementsAre(0, 2, 2, 3, 5));
  EXPECT_THAT(Ids(z), ElementsAre(1, 5, 0, 2, 5));
  EXPECT_THAT(Values(z), ElementsAre(3, 3, 2, 5, 6));
  EXPECT_EQ(z.d_sae, 6);
}

TEST_P(KeepTopKTest, OneOfATieIsTheLowestId) {
  EXPECT_THAT(Ids(KeepTopK(FourRows(), 1)), ElementsAre(1, 0, 5));
  EXPECT_THAT(Ids(KeepTopK(FourRows(), 3)), ElementsAre(1, 4, 5, 0, 2, 3, 5));
}

TEST_P(KeepTopKTest, MoreThanThereAreKeepsAllAndZeroOrLessKeepsNone) {
  for (const int64_t k : {int64_t{4}, std::numeric_limits<int64_t>::max()}) {
    const SparseActivations all = KeepTopK(FourRows(), k);
    EXPECT_EQ(Splits(all), Splits(FourRows()));
    EXPECT_EQ(Ids(all), Ids(FourRows()));
    EXPECT_EQ(Values(all), Values(FourRows()));
  }
  for (const int64_t k : {int64_t{0}, int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    const SparseActivations none = KeepTopK(FourRows(), k);
    EXPECT_THAT(Splits(none), ElementsAre(0, 0, 0, 0, 0));
    EXPECT_THAT(Values(none), IsEmpty());
  }
}

TEST_P(KeepTopKTest, TakesNoRowsAndRowsWithoutEntries) {
  EXPECT_THAT(Splits(KeepTopK(Make({0}, {}, {}, 6), 2)), ElementsAre(0));
  EXPECT_THAT(Splits(KeepTopK(Make({0, 0, 0}, {}, {}, 6), 2)), ElementsAre(0, 0, 0));
}

class KeepFeaturesTest : public SparseActivationsTest {};
INSTANTIATE_TEST_SUITE_P(Devices, KeepFeaturesTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(KeepFeaturesTest, KeepsTheEntriesOfTheChosenFeatures) {
  const SparseActivations z = KeepFeatures(FourRows(), at::tensor({0, 4, 5}, at::kLong));
  EXPECT_THAT(Splits(z), ElementsAre(0, 2, 2, 3, 5));
  EXPECT_THAT(Ids(z), ElementsAre(4, 5, 0, 4, 5));
  EXPECT_THAT(Values(z), ElementsAre(1, 3, 2, 5, 6));
  EXPECT_EQ(z.d_sae, 6);
}

TEST_P(KeepFeaturesTest, NoFeatureKeepsTheRowsAndNothingInThem) {
  const SparseActivations z = KeepFeatures(FourRows(), at::empty({0}, at::kLong));
  EXPECT_THAT(Splits(z), ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(Ids(z), IsEmpty());
}

TEST_P(KeepFeaturesTest, AllFeaturesKeepEverything) {
  const SparseActivations z = KeepFeatures(FourRows(), at::arange(6, at::kLong));
  EXPECT_EQ(Splits(z), Splits(FourRows()));
  EXPECT_EQ(Ids(z), Ids(FourRows()));
}

TEST_P(KeepFeaturesTest, TakesNoRowsAndRowsWithoutEntries) {
  EXPECT_THAT(Splits(KeepFeatures(Make({0}, {}, {}, 6), at::tensor({1}, at::kLong))), ElementsAre(0));
  EXPECT_THAT(Splits(KeepFeatures(Make({0, 0}, {}, {}, 6), at::tensor({1}, at::kLong))), ElementsAre(0, 0));
}

class SliceRowsTest : public SparseActivationsTest {};
INSTANTIATE_TEST_SUITE_P(Devices, SliceRowsTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(SliceRowsTest, StartsItsOwnCount) {
  const SparseActivations z = SliceRows(FourRows(), 1, 4);
  EXPECT_THAT(Splits(z), ElementsAre(0, 0, 1, 5));
  EXPECT_THAT(Ids(z), ElementsAre(0, 2, 3, 4, 5));
  EXPECT_THAT(Values(z), ElementsAre(2, 5, 5, 5, 6));
  EXPECT_EQ(z.d_sae, 6);
}

TEST_P(SliceRowsTest, AllNoneAndAnEmptyRow) {
  EXPECT_EQ(Ids(SliceRows(FourRows(), 0, 4)), Ids(FourRows()));
  for (const int64_t row : {0, 2, 4}) {
    const SparseActivations none = SliceRows(FourRows(), row, row);
    EXPECT_THAT(Splits(none), ElementsAre(0));
    EXPECT_EQ(none.entries(), 0);
  }
  const SparseActivations empty_row = SliceRows(FourRows(), 1, 2);
  EXPECT_THAT(Splits(empty_row), ElementsAre(0, 0));
  EXPECT_EQ(empty_row.entries(), 0);
}

class ConcatenateRowsTest : public SparseActivationsTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ConcatenateRowsTest, testing::ValuesIn(kDeviceTypes), DeviceTest::Name);

TEST_P(ConcatenateRowsTest, PutsTheSlicesTogetherAgain) {
  const SparseActivations z = FourRows();
  for (int64_t first = 0; first <= 4; ++first) {
    for (int64_t second = first; second <= 4; ++second) {
      const SparseActivations joined =
          ConcatenateRows({SliceRows(z, 0, first), SliceRows(z, first, second), SliceRows(z, second, 4)});
      EXPECT_EQ(Splits(joined), Splits(z)) << first << " " << second;
      EXPECT_EQ(Ids(joined), Ids(z));
      EXPECT_EQ(Values(joined), Values(z));
      EXPECT_EQ(joined.d_sae, 6);
    }
  }
}

TEST_P(ConcatenateRowsTest, OnePartIsItself) {
  const SparseActivations z = ConcatenateRows({FourRows()});
  EXPECT_EQ(Splits(z), Splits(FourRows()));
  EXPECT_EQ(Ids(z), Ids(FourRows()));
}

TEST_P(ConcatenateRowsTest, PartsWithoutRowsGiveNoRows) {
  const SparseActivations none = Make({0}, {}, {}, 6);
  const SparseActivations z = ConcatenateRows({none, none});
  EXPECT_THAT(Splits(z), ElementsAre(0));
  EXPECT_EQ(z.entries(), 0);
}

class ConcatenateColumnsTest : public SparseActivationsTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ConcatenateColumnsTest, testing::Values(at::kCPU), DeviceTest::Name);

TEST_P(ConcatenateColumnsTest, PutsPartsOfEveryWidthTogetherAgain) {
  const at::Tensor pre = (at::arange(5 * 40, at::kFloat).view({5, 40}) * 1.7F).sin() - 0.5F;
  for (const int64_t first : {0, 1, 17, 40}) {
    for (int64_t second = first; second <= 40; second += 7) {
      const SparseActivations joined = ConcatenateColumns(
          {Compress(pre.slice(1, 0, first)), Compress(pre.slice(1, first, second)), Compress(pre.slice(1, second))});
      EXPECT_EQ(joined.d_sae, 40);
      EXPECT_TRUE(at::equal(Dense(joined), at::relu(pre))) << first << " " << second;
      EXPECT_EQ(Ids(joined), Ids(Compress(pre)));
    }
  }
}

TEST_P(ConcatenateColumnsTest, PartsWithoutRowsGiveNoRows) {
  const SparseActivations none = Make({0}, {}, {}, 6);
  const SparseActivations z = ConcatenateColumns({none, none});
  EXPECT_THAT(Splits(z), ElementsAre(0));
  EXPECT_EQ(z.d_sae, 12);
}

}  // namespace
}  // namespace superpose
