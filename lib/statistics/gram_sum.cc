#include "lib/statistics/gram_sum.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/kernels/dense_ops.h"

namespace superpose {
namespace {

constexpr int64_t kTile = 384;

std::vector<std::pair<int64_t, int64_t>> UpperTiles(int64_t n) {
  std::vector<std::pair<int64_t, int64_t>> tiles;
  for (int64_t i = 0; i < n; i += kTile) {
    for (int64_t j = i; j < n; j += kTile) tiles.emplace_back(i, j);
  }
  return tiles;
}

at::Tensor TileOf(const at::Tensor& sum, int64_t i, int64_t j) {
  const int64_t n = sum.size(0);
  return sum.narrow(0, i, std::min(kTile, n - i)).narrow(1, j, std::min(kTile, n - j));
}

void AddTile(const at::Tensor& x, const at::Tensor& sum, int64_t i, int64_t j) {
  const int64_t n = sum.size(0);
  AddProduct(x.narrow(1, i, std::min(kTile, n - i)).t(), x.narrow(1, j, std::min(kTile, n - j)), TileOf(sum, i, j));
}

}  // namespace

void AddGram(const at::Tensor& x, const at::Tensor& sum) {
  if (x.size(0) == 0) return;
  const auto tiles = UpperTiles(sum.size(0));
  const auto add = [&](int64_t first, int64_t last) {
    for (int64_t tile = first; tile < last; ++tile) AddTile(x, sum, tiles[tile].first, tiles[tile].second);
  };
  const auto count = static_cast<int64_t>(tiles.size());
  // Each product is one thread's, so that how it is computed does not depend on how many there are.
  sum.is_cpu() ? at::parallel_for(0, count, 1, add) : add(0, count);
}

void MirrorGram(const at::Tensor& sum) {
  const auto tiles = UpperTiles(sum.size(0));
  for (const auto& [i, j] : tiles) {
    if (i != j) TileOf(sum, j, i).copy_(TileOf(sum, i, j).t());
  }
}

}  // namespace superpose
