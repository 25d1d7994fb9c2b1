#include "lib/factorization/eigen_memory.h"

#include <algorithm>

#include "lib/base/memory_estimate.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {
namespace {

// C, and eigh's copy of it, which becomes the vectors; with these its workspace is twice as much again (LAPACK, syevd).
int64_t DenseBytes(int64_t directions, bool with_vectors) {
  return directions * directions * kDoubleBytes * (with_vectors ? 4 : 2);
}

int64_t LanczosBytes(int64_t directions, int64_t k, int64_t entry_bytes, const GramTiling& tiling) {
  const LanczosShape shape = ShapeOfLanczos(directions, k);
  const int64_t side = std::min(tiling.side, directions), ritz = std::min(k + shape.block, shape.basis);
  const int64_t basis = 2 * shape.basis * directions * kDoubleBytes;
  const int64_t block = shape.block * directions * (2 * kDoubleBytes + entry_bytes);
  const int64_t product = side * side * entry_bytes;
  // Ritz vectors, their images and residuals, beside a part of two of them, or beside four blocks.
  const int64_t part = 2 * ritz * RitzBlocks(directions, k).length(0);
  const int64_t step = (3 * ritz * directions + std::max(part, 4 * shape.block * directions)) * kDoubleBytes;
  return basis + block + std::max(product, step);
}

}  // namespace

EigenMemory EstimateEigenpairs(int64_t directions, int64_t d, at::ScalarType type, const EigenQuery& query,
                               bool with_vectors) {
  const EigenMethod method = MethodOf(query, directions);
  const int64_t k = WantedPairs(query, directions);
  const int64_t entry_bytes = GramType(method, type) == at::kDouble ? kDoubleBytes : kFloatBytes;
  EigenMemory memory;
  memory.units_bytes = directions * d * entry_bytes;
  memory.pairs_bytes = with_vectors ? k * directions * kDoubleBytes : 0;
  const int64_t work = method == EigenMethod::kDense ? DenseBytes(directions, with_vectors)
                                                     : LanczosBytes(directions, k, entry_bytes, query.tiling);
  const int64_t scaling = 2 * std::min(directions * d, kUnitEntries) * kDoubleBytes;
  memory.peak_bytes = memory.units_bytes + std::max(work, scaling);
  return memory;
}

int64_t KeptEntryBytes(int64_t directions, int64_t d, at::ScalarType gram_type, const EigenQuery& query) {
  if (gram_type == at::kDouble || query.theta <= 0) return 0;
  const int64_t rest = directions * d * kFloatBytes +
                       LanczosBytes(directions, WantedPairs(query, directions), kFloatBytes, query.tiling);
  return rest / 8;
}

}  // namespace superpose
