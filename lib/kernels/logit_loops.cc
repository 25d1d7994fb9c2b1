#include "lib/kernels/logit_loops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/kernels/product_kernel.h"

namespace superpose {
namespace {

// Summands are added in float this many at a time, then in double.
constexpr int64_t kInFloat = 64;

// What e^x is multiplied with.
struct One {
  template <typename Floats>
  SUPERPOSE_INLINE Floats Times(const Floats& e, const Floats& /*logits*/, int64_t /*i*/) const {
    return e;
  }
  SUPERPOSE_INLINE double Times(double e, float /*logit*/, int64_t /*i*/) const { return e; }
};
struct Difference {
  const float* other;
  template <typename Floats>
  SUPERPOSE_INLINE Floats Times(const Floats& e, const Floats& logits, int64_t i) const {
    Floats rest;
    std::memcpy(&rest, other + i, sizeof(rest));
    return e * (logits - rest);
  }
  SUPERPOSE_INLINE double Times(double e, float logit, int64_t i) const { return e * (logit - other[i]); }
};

template <int lanes>
struct LogitLoops {
  using Math = VectorMath<lanes>;
  using Floats = decltype(Math::Load(nullptr));

  static SUPERPOSE_INLINE float Largest(const float* logits, int64_t n) {
    Floats some = Floats{} - std::numeric_limits<float>::infinity();
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      const Floats next = Math::Load(logits + i);
      some = next > some ? next : some;
    }
    float largest = -std::numeric_limits<float>::infinity();
    for (; i < n; ++i) largest = std::max(largest, logits[i]);
    for (int lane = 0; lane < lanes; ++lane) largest = std::max(largest, some[lane]);
    return largest;
  }

  template <typename Factor>
  static SUPERPOSE_INLINE double Sum(const float* logits, int64_t n, float largest, const Factor& factor) {
    double sum = 0;
    int64_t i = 0;
    while (i + lanes <= n) {
      Floats some = {};
      const int64_t end = std::min(i + kInFloat * lanes, n);
      for (; i + lanes <= end; i += lanes) {
        const Floats next = Math::Load(logits + i);
        some += factor.Times(Math::Exp(next - largest), next, i);
      }
      for (int lane = 0; lane < lanes; ++lane) sum += some[lane];
    }
    for (; i < n; ++i) sum += factor.Times(std::exp(static_cast<double>(logits[i]) - largest), logits[i], i);
    return sum;
  }

  template <typename Factor>
  static SUPERPOSE_INLINE void Add(const float* logits, int64_t n, const Factor& factor, float* largest, double* sum) {
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    const float before = *largest, now = std::max(before, Largest(logits, n));
    // Where all are minus infinity they are weighed against 0: next to nothing, but NaN stays NaN.
    const double added = Sum(logits, n, now == kNone ? 0 : now, factor);
    *sum = (before == kNone ? *sum : *sum * std::exp(double{before} - now)) + added;
    *largest = now;
  }
};

#if SUPERPOSE_HAS_VECTOR_LEVELS
template <typename Factor>
SUPERPOSE_AVX512 void AddAvx512(const float* logits, int64_t n, const Factor& factor, float* largest, double* sum) {
  LogitLoops<16>::Add(logits, n, factor, largest, sum);
}
template <typename Factor>
SUPERPOSE_AVX2 void AddAvx2(const float* logits, int64_t n, const Factor& factor, float* largest, double* sum) {
  LogitLoops<8>::Add(logits, n, factor, largest, sum);
}
#endif

template <typename Factor>
void Add(const float* logits, int64_t n, const Factor& factor, float* largest, double* sum, VectorLevel level) {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  if (level == VectorLevel::kAvx512) return AddAvx512(logits, n, factor, largest, sum);
  if (level == VectorLevel::kAvx2) return AddAvx2(logits, n, factor, largest, sum);
#endif
  LogitLoops<4>::Add(logits, n, factor, largest, sum);
}

}  // namespace

void AddExponentials(const float* logits, int64_t n, float* largest, double* sum, VectorLevel level) {
  Add(logits, n, One(), largest, sum, level);
}

void AddWeightedDifferences(const float* reference, const float* other, int64_t n, float* largest, double* sum,
                            VectorLevel level) {
  Add(reference, n, Difference{other}, largest, sum, level);
}

}  // namespace superpose
