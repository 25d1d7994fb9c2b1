#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "lib/factorization/code_pursuit.h"
#include "lib/factorization/factorizer_config.h"

namespace superpose {

// How directions explain decoders: the rule of a form, for directions that may come from elsewhere.
struct ExplainRule {
  FactorForm form = FactorForm::kTopK;
  int64_t codes = 5;   // kTopK; at most as many as there are directions are used
  double theta = 0.3;  // kGram
};

// By decoder. Form topk: d_hat is what CodePursuit's codes make. Form gram: d_hat = a (d F^T) F with the scalar a that
// leaves least, since the form leaves scale free.
struct Explanation {
  at::Tensor error;   // float32 [n]: |d - d_hat|^2 for unit d; 1 is nothing explained
  at::Tensor cosine;  // float32 [n] of d and d_hat; 0 where d_hat is 0
  at::Tensor counts;  // int64 [n], L0: topk: codes that are used; gram: directions with |cosine| > theta
  at::Tensor uses;    // int64 [directions]: the decoders that count it
  at::Tensor ids;     // topk: int32 [n, codes], as CodePursuit has them; undefined for gram
  at::Tensor values;  // topk: float32 [n, codes]
};

struct ExplanationSummary {
  int64_t decoders = 0;
  double mean_error = 0, median_error = 0;
  double mean_cosine = 0, median_cosine = 0;
  double mean_codes = 0;  // L0
};
ExplanationSummary Summarize(const Explanation& explanation);

// Explains decoders in units of work of some ten milliseconds. Both float32 unit rows on the CPU, contiguous.
class Explainer {
 public:
  Explainer(const ExplainRule& rule, at::Tensor decoders, at::Tensor directions);
  // The next unit; true when it was the last. Throws what LibTorch throws.
  bool RunUnit();
  const Explanation& explanation() const { return explanation_; }

 private:
  void Begin();
  bool RunPursuit();
  bool RunImage();
  void FinishCodes();
  void FinishImage();
  at::Tensor rows() const { return RowsFrom(decoders_, row_); }

  const ExplainRule rule_;
  const at::Tensor decoders_, directions_;
  Explanation explanation_;
  std::optional<CodePursuit> pursuit_;  // topk
  std::optional<TileRoom> room_;        // gram
  at::Tensor image_;                    // of the rows, (d F^T) F; gram
  int64_t row_ = 0;
  int64_t direction_ = 0;
  bool has_begun_ = false;
};

}  // namespace superpose
