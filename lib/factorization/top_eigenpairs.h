#pragma once

#include <ATen/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "lib/factorization/eigen_solver.h"
#include "lib/factorization/gram_product.h"
#include "lib/factorization/thresholded_gram.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {

// The top k eigenpairs of C by block Lanczos with thick restarts. Each iteration takes one product of C with a block of
// b vectors, and one Rayleigh-Ritz step in the basis V that holds all blocks so far, of which a restart keeps the best
// k + b Ritz vectors. The next block is the residuals of the first b pairs that have not converged: it spans what
// Lanczos's own recurrence would, and mends rounding. Where there are fewer, random directions fill it up.
//
// A Krylov space holds an eigenvalue no more often than its start has vectors. So that copies of a multiple eigenvalue
// are not missed, what seems to be the answer is tried with a new random block for a few iterations, and stands only if
// nothing larger turns up.
class TopEigenpairs final : public EigenSolver {
 public:
  TopEigenpairs(std::shared_ptr<const ThresholdedGram> gram, const EigenQuery& query, bool with_vectors);

  // units() before the first.
  static int64_t UnitsOf(int64_t directions, int64_t d, const EigenQuery& query);

  int64_t units() const override { return done_ ? units_run_ : most_iterations_ * UnitsPerIteration(); }
  void RunUnit(int64_t unit) override;
  // Of a large k: the unit with the eigenproblem of V C V^T.
  bool IsLong(int64_t unit) const override {
    return !done_ && unit % UnitsPerIteration() == product_.units() && size_ + shape_.block > kMostShortEigh;
  }
  Eigenpairs Take() override;

 private:
  // Ritz pairs, best first.
  struct Ritz {
    at::Tensor weights;    // float64 [c, rows of V]: of which vectors are made
    at::Tensor values;     // float64 [c] on the CPU
    at::Tensor vectors;    // [c, n]: x
    at::Tensor images;     // [c, n]: x C
    at::Tensor residuals;  // [c, n]: x C - l x
    at::Tensor errors;     // float64 [c] on the CPU: lengths of the residuals
  };

  // The product, Ritz vectors a block of their entries at a time, and what follows from them.
  int64_t UnitsPerIteration() const { return product_.units() + ritz_blocks_.count() + 1; }
  void Begin();
  void Append();
  void SolveProjected();
  void MakeRitzVectors(int64_t block);
  void Step();
  void Judge(const Ritz& ritz);
  void Restart(const Ritz& ritz);
  void Finish(const Ritz& ritz);
  void MakeBlock(const at::Tensor& candidates);
  at::Tensor RandomRows(int64_t count);

  std::shared_ptr<const ThresholdedGram> gram_;
  const EigenQuery query_;
  const bool with_vectors_;
  const int64_t k_;
  const LanczosShape shape_;
  const int64_t most_iterations_;
  const RowBlocks ritz_blocks_;
  GramProduct product_;
  at::Generator generator_;
  at::Tensor basis_;      // V: float64 [shape_.basis, n]
  at::Tensor images_;     // V C
  at::Tensor projected_;  // V C V^T: float64 [shape_.basis, shape_.basis] on the CPU
  int64_t size_ = 0;      // rows of V
  at::Tensor block_;      // [b, n]: joins V when its product is there
  Ritz ritz_;             // of the iteration
  int64_t iterations_ = 0;
  int64_t checks_left_ = 0;  // of the iterations that try what seems to be the answer; 0: nothing seems so yet
  int64_t units_run_ = 0;
  bool done_ = false;
  double tolerated_ = 0;  // largest length of a residual that counts as converged
  Eigenpairs pairs_;
};

}  // namespace superpose
