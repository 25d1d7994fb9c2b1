#include "lib/tensor_io/content_hash.h"

#include <ATen/ATen.h>

#include <set>

#include "tests/lib/tensor_io/files.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ContentHashTest = FilesTest;

TEST_F(ContentHashTest, IsLowerCaseHexadecimalOfSha256) {
  // Nothing: the SHA-256 of no bytes.
  EXPECT_EQ(ContentHash({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(ContentHash({{"a", at::ones({3})}}).size(), 64);
}

TEST_F(ContentHashTest, IsTheSameForTheSameTensorsHoweverTheyLieInMemory) {
  at::Tensor base = at::arange(6, at::kFloat).view({2, 3});
  EXPECT_EQ(ContentHash({{"a", base.t()}}), ContentHash({{"a", base.t().contiguous()}}));
  EXPECT_EQ(ContentHash({{"a", base.clone().requires_grad_(true)}}), ContentHash({{"a", base}}));
}

TEST_F(ContentHashTest, IsTheSameAfterARoundTrip) {
  TensorMap tensors = {{"a", at::arange(6).view({2, 3})}, {"b", at::ones({4}, at::kHalf)}, {"c", at::zeros({0})}};
  ASSERT_OK(WriteSafetensors(Path("a"), tensors, {{"metadata", "does not count"}}));
  ASSERT_OK_AND_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(Path("a")));
  EXPECT_EQ(ContentHash(file.tensors()), ContentHash(tensors));
}

TEST_F(ContentHashTest, DiffersWhereAnythingDiffers) {
  at::Tensor zeros = at::zeros({4}, at::kInt);
  const std::vector<TensorMap> all = {
      {},
      {{"a", zeros}},
      {{"b", zeros}},
      {{"", zeros}},
      {{"a", zeros.view({2, 2})}},
      {{"a", zeros.view({4, 1})}},
      {{"a", zeros.to(at::kFloat)}},
      {{"a", at::zeros({4}, at::kLong)}},
      {{"a", at::zeros({5}, at::kInt)}},
      {{"a", at::tensor({0, 0, 0, 1}, at::kInt)}},
      {{"a", at::tensor({1, 0, 0, 0}, at::kInt)}},
      {{"a", at::tensor({0.0F, 0.0F, 0.0F, -0.0F})}},
      {{"a", zeros}, {"b", zeros}},
      {{"a", at::zeros({0})}, {"b", zeros}},
      {{"a", at::zeros({0})}},
      {{"a", at::zeros({0, 1})}},
      {{"a", at::zeros({8}, at::kInt)}},
  };
  std::set<std::string> hashes;
  for (const TensorMap& tensors : all) hashes.insert(ContentHash(tensors));
  EXPECT_EQ(hashes.size(), all.size());
}

TEST_F(ContentHashTest, ANameThatLooksLikeTheNextTensorGivesAnotherHash) {
  at::Tensor empty = at::zeros({0});
  EXPECT_NE(ContentHash({{"a", empty}, {"b", empty}}), ContentHash({{"a F32 [0] 0:1:b", empty}}));
}

}  // namespace
}  // namespace superpose
