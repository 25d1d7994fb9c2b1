#include "lib/kernels/mark_above.h"

#include <algorithm>

#if SUPERPOSE_HAS_VECTOR_LEVELS
#include <immintrin.h>
#endif

namespace superpose {
namespace {

constexpr int64_t kWord = 64;

uint64_t MarkWord(const float* values, const float* bias, const float* thresholds, int64_t n) {
  uint64_t word = 0;
  for (int64_t i = 0; i < n; ++i) word |= static_cast<uint64_t>(values[i] + bias[i] > thresholds[i]) << i;
  return word;
}

// Whole words.
void MarkPlain(const float* values, const float* bias, const float* thresholds, int64_t words, uint64_t* marks) {
  for (int64_t word = 0; word < words; ++word) {
    const int64_t at = word * kWord;
    marks[word] = MarkWord(values + at, bias + at, thresholds + at, kWord);
  }
}

#if SUPERPOSE_HAS_VECTOR_LEVELS
SUPERPOSE_AVX2 void MarkAvx2(const float* values, const float* bias, const float* thresholds, int64_t words,
                             uint64_t* marks) {
  constexpr int64_t kLanes = 8;
  for (int64_t word = 0; word < words; ++word) {
    uint64_t bits = 0;
    for (int64_t i = 0; i < kWord; i += kLanes) {
      const int64_t at = word * kWord + i;
      const __m256 sum = _mm256_add_ps(_mm256_loadu_ps(values + at), _mm256_loadu_ps(bias + at));
      const __m256 above = _mm256_cmp_ps(sum, _mm256_loadu_ps(thresholds + at), _CMP_GT_OQ);
      bits |= static_cast<uint64_t>(_mm256_movemask_ps(above)) << i;
    }
    marks[word] = bits;
  }
}

SUPERPOSE_AVX512 void MarkAvx512(const float* values, const float* bias, const float* thresholds, int64_t words,
                                 uint64_t* marks) {
  constexpr int64_t kLanes = 16;
  for (int64_t word = 0; word < words; ++word) {
    uint64_t bits = 0;
    for (int64_t i = 0; i < kWord; i += kLanes) {
      const int64_t at = word * kWord + i;
      const __m512 sum = _mm512_add_ps(_mm512_loadu_ps(values + at), _mm512_loadu_ps(bias + at));
      const __mmask16 above = _mm512_cmp_ps_mask(sum, _mm512_loadu_ps(thresholds + at), _CMP_GT_OQ);
      bits |= static_cast<uint64_t>(above) << i;
    }
    marks[word] = bits;
  }
}
#endif

void MarkWords(const float* values, const float* bias, const float* thresholds, int64_t words, uint64_t* marks,
               VectorLevel level) {
#if SUPERPOSE_HAS_VECTOR_LEVELS
  if (level == VectorLevel::kAvx512) return MarkAvx512(values, bias, thresholds, words, marks);
  if (level == VectorLevel::kAvx2) return MarkAvx2(values, bias, thresholds, words, marks);
#endif
  MarkPlain(values, bias, thresholds, words, marks);
}

}  // namespace

int64_t MarkAbove(const float* values, const float* bias, const float* thresholds, int64_t n, uint64_t* marks,
                  VectorLevel level) {
  const int64_t words = n / kWord, whole = words * kWord;
  MarkWords(values, bias, thresholds, words, marks, level);
  if (whole < n) marks[words] = MarkWord(values + whole, bias + whole, thresholds + whole, n - whole);
  int64_t count = 0;
  for (int64_t word = 0; word < words + (whole < n ? 1 : 0); ++word) count += __builtin_popcountll(marks[word]);
  return count;
}

}  // namespace superpose
