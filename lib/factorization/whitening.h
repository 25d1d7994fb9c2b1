// Whitened directions: combinations of directions D whose thresholded Gram matrix would be the identity.
//
// C = Q L Q^T. kEigen (default) takes the eigenvalues above the cut-off, features = L+^-1/2 Q+^T D: with the
// thresholded C in the place of D D^T, L+^-1/2 Q+^T C Q+ L+^-1/2 = 1. C may have negative eigenvalues, which no
// whitening can take in: figures say how many and how heavy they are. kNotebook is the reference's form, by singular
// values S = |L|: features = S^-1/2 U^T D for S >= cut-off, of which the same product has a diagonal of +1 and -1. (As
// written there, `U[mask]` takes rows where columns are meant, which is mended here.)
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/base/memory_estimate.h"
#include "lib/factorization/eigen_query.h"
#include "lib/statistics/analysis/analysis.h"

namespace superpose {

enum class WhiteningForm { kEigen, kNotebook };

struct WhiteningQuery {
  // k: of the largest k only. by_magnitude follows from the form and is not looked at.
  EigenQuery eigen = {};
  double cutoff = 1e-2;
  WhiteningForm form = WhiteningForm::kEigen;
};

// Tensors features float32 [r, d], eigenvalue float64 [r] (largest first; of the notebook's form by |l|), r <= k, 0
// where the cut-off leaves none. A value that is no larger than rounding is cut whatever the cut-off. Figures:
// eigen_summary.h, kept, cut, cutoff (as it was used). `undefined` counts values that have no inverse root: those no
// larger than rounding. Of Lanczos values that did not converge count as the others; `converged` says how many did.
// CONFIG_INVALID (a cut-off that is negative or not finite), the errors of CheckEigenQuery and UnitDirections.
absl::StatusOr<std::unique_ptr<Analysis>> MakeWhitening(const at::Tensor& directions, const WhiteningQuery& query);

// The errors of MakeWhitening of n directions that do not depend on what they are.
absl::Status CheckWhiteningQuery(const WhiteningQuery& query, int64_t directions);
// Its units at most, of directions [n, d].
int64_t WhiteningUnits(int64_t directions, int64_t d, const WhiteningQuery& query);

// As EstimateSpectrum.
MemoryEstimate EstimateWhitening(int64_t directions, int64_t d, at::ScalarType type, const WhiteningQuery& query);

}  // namespace superpose
