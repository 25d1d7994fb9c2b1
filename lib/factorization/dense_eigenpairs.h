#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "lib/factorization/eigen_solver.h"
#include "lib/factorization/gram_tiles.h"
#include "lib/factorization/thresholded_gram.h"

namespace superpose {

// Eigenpairs of C by eigh of the whole matrix: its last unit takes long where that is large.
class DenseEigenpairs final : public EigenSolver {
 public:
  DenseEigenpairs(std::shared_ptr<const ThresholdedGram> gram, const EigenQuery& query, bool with_vectors);

  static GramTiles TilesOf(int64_t directions, int64_t d, const EigenQuery& query) {
    return {directions, 2 * d, query.tiling};
  }

  int64_t units() const override { return tiles_.units() + 1; }
  void RunUnit(int64_t unit) override;
  bool IsLong(int64_t unit) const override { return unit == tiles_.units() && gram_->size() > kMostShortEigh; }
  Eigenpairs Take() override;

 private:
  void Fill(int64_t unit);
  void Decompose();

  std::shared_ptr<const ThresholdedGram> gram_;
  const bool by_magnitude_;
  const bool with_vectors_;
  const int64_t k_;
  GramTiles tiles_;
  at::Tensor matrix_;  // C, until it is decomposed
  Eigenpairs pairs_;
};

}  // namespace superpose
