#include "lib/kernels/vector_level.h"

namespace superpose {

VectorLevel BestVectorLevel() {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  static const VectorLevel best = [] {
    if (__builtin_cpu_supports("x86-64-v4")) return VectorLevel::kAvx512;
    return __builtin_cpu_supports("x86-64-v3") ? VectorLevel::kAvx2 : VectorLevel::kPlain;
  }();
  return best;
#else
  return VectorLevel::kPlain;
#endif
}

}  // namespace superpose
