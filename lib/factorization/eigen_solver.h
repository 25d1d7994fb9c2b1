#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/factorization/eigen_query.h"
#include "lib/factorization/thresholded_gram.h"

namespace superpose {

// C q_i = values[i] q_i.
struct Eigenpairs {
  at::Tensor values;   // float64 [k] on the CPU, in the query's order
  at::Tensor vectors;  // float64 [k, n] on the directions' device: row i is q_i, of length 1, its largest entry (by its
                       // size, the first of equal ones) positive; undefined where not asked for
  at::Tensor residuals;    // float64 [k] on the CPU: |C q - l q|; undefined for a dense matrix
  int64_t nonzeros = 0;    // entries of C that are not 0
  int64_t iterations = 0;  // of Lanczos
  int64_t converged = 0;   // of the k, from the first without a gap; k for a dense matrix
  double rounding = 0;     // values of this size cannot be told from 0
};

// Works in units; may throw what LibTorch throws.
class EigenSolver {
 public:
  virtual ~EigenSolver() = default;
  // At most so many: fewer once it is known that no more are needed.
  virtual int64_t units() const = 0;
  // Runs unit 0, 1, .. units() - 1, each once and in order.
  virtual void RunUnit(int64_t unit) = 0;
  // As Analysis::IsLong.
  virtual bool IsLong(int64_t unit) const = 0;
  // After the last unit; once.
  virtual Eigenpairs Take() = 0;
};

// C as the query's method wants it. The errors of CheckEigenQuery and UnitDirections.
absl::StatusOr<std::shared_ptr<const ThresholdedGram>> MakeGram(const at::Tensor& directions, const EigenQuery& query);
// gram: MakeGram's of the same query.
std::unique_ptr<EigenSolver> MakeEigenSolver(std::shared_ptr<const ThresholdedGram> gram, const EigenQuery& query,
                                             bool with_vectors);

// The units of a solver of directions [n, d] before it begins, of a query that is valid.
int64_t EigenUnits(int64_t directions, int64_t d, const EigenQuery& query);

// int64: the first k indices of values (float64 [n] on the CPU) in the query's order, equal ones by index.
at::Tensor OrderOfEigenvalues(const at::Tensor& values, bool by_magnitude, int64_t k);
// Turns rows, in place, so that the largest entry of each is positive.
void MakeLargestPositive(at::Tensor& rows);

}  // namespace superpose
