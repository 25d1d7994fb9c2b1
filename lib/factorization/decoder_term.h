#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "lib/factorization/factorizer_config.h"

namespace superpose {

// What a batch of decoders asks of the factors, in units of work of some ten milliseconds. All tensors are float32,
// contiguous, on the CPU.
class DecoderTerm {
 public:
  virtual ~DecoderTerm() = default;

  // batch: unit rows [rows, d], at most as many as Make was told. The batch must stay as it is until the last unit.
  virtual void Begin(const at::Tensor& batch) = 0;
  // The next unit; true when it was the last. factors: unit rows [factors, d], the same in all units of a batch. Writes
  // the term's gradient with respect to them over `gradient`, which is whole after the last unit.
  virtual bool RunUnit(const at::Tensor& factors, const at::Tensor& gradient) = 0;
  // The term, after the last unit.
  virtual double loss() const = 0;
};

std::unique_ptr<DecoderTerm> MakeDecoderTerm(const FactorizerConfig& config, int64_t most_rows, int64_t d);

}  // namespace superpose
