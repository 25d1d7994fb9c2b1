#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/factorization/factor_tiles.h"

namespace superpose {

inline constexpr int64_t kSimilarityBins = 200;  // of width 0.01, from -1 to 1

// How alike factors are, over all pairs of two.
struct FactorSimilarity {
  at::Tensor nearest;    // int64 [m]: the other factor with the largest |cosine|; -1 with one factor
  at::Tensor closeness;  // float32 [m]: that |cosine|; -1 with one factor
  at::Tensor earlier;    // float32 [m]: the largest |cosine| with a factor before it; -1 for the first
  at::Tensor histogram;  // int64 [kSimilarityBins]: pairs i < j by cosine; 1 is in the last bin
};
// Factors that repeat an earlier one: |cosine| above the limit.
int64_t CountDuplicates(const FactorSimilarity& similarity, double limit);

// Compares factors tile by tile, each pair once. factors: float32 unit rows on the CPU, contiguous.
class SimilarityScan {
 public:
  explicit SimilarityScan(at::Tensor factors);
  // The next tile; true when it was the last. Throws what LibTorch throws.
  bool RunUnit();
  const FactorSimilarity& similarity() const { return similarity_; }

 private:
  const at::Tensor factors_;
  const TileRoom room_;
  UpperTiles tiles_;
  FactorSimilarity similarity_;
};

// The factors of two factorizations, say of two seeds, matched: each with the one of the other that has the largest
// |cosine|. Not one to one: two may have the same match.
struct FactorMatch {
  at::Tensor match;   // int64 [m]: for each left factor the right one
  at::Tensor cosine;  // float32 [m], |cosine|
};
// Stability across seeds is the mean of both directions' cosines.
class FactorMatcher {
 public:
  // Float32 unit rows on the CPU, contiguous, of one width; the numbers of factors may differ.
  FactorMatcher(at::Tensor left, at::Tensor right);
  bool RunUnit();
  const FactorMatch& left() const { return left_match_; }
  const FactorMatch& right() const { return right_match_; }

 private:
  const at::Tensor left_, right_;
  const TileRoom room_;
  FactorMatch left_match_, right_match_;
  int64_t row_ = 0, column_ = 0;
};

}  // namespace superpose
