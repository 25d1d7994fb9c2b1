#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/factorization/factor_codes.h"
#include "lib/tensor_io/safetensors.h"
#include "server/jobs/factorization_store.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose {

// A stored factorization, mapped: what was fitted, and what it explains, found by feature ids.
class StoredFactorization {
 public:
  // FACTORIZATION_NOT_FOUND, NAME_INVALID, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE. Blocks on disk.
  static absl::StatusOr<std::shared_ptr<const StoredFactorization>> Open(FactorizationStore* factorizations,
                                                                         const std::string& name);

  const v1::Factorization& facts() const { return facts_; }
  bool has_codes() const { return facts_.spec().form() != v1::FACTORIZATION_FORM_GRAM; }
  // float32 [m, d] of length 1.
  const at::Tensor& factors() const { return factors_; }
  // W, of which they are the rows at length 1: float32 [m, d]. TENSOR_MISSING, TENSOR_SHAPE_MISMATCH,
  // TENSOR_NOT_FINITE.
  absl::StatusOr<at::Tensor> Parameter() const;

  // The decoders that were fitted, then those held out: float32 [n + h, d] of length 1. FAILED_PRECONDITION /
  // TENSOR_MISSING where it was imported and has none; TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE.
  absl::StatusOr<at::Tensor> Directions() const;
  // int64 [n + h]: their features. Errors likewise.
  absl::StatusOr<at::Tensor> Features() const;
  // int64 [h]: features that it was not fitted on. Errors likewise.
  absl::StatusOr<at::Tensor> HeldOutFeatures() const;
  // The row of a feature. FEATURE_OUT_OF_RANGE where it is not among them; and those of Features.
  absl::StatusOr<int64_t> RowOf(int64_t feature) const;
  // What the decoders are made of. CONFIG_INVALID in form gram, which has no codes; likewise, and those of
  // CheckFactorCodes.
  absl::StatusOr<FactorCodes> Codes() const;
  // CONFIG_INVALID unless there is such a factor.
  absl::Status CheckFactor(int64_t factor) const;

 private:
  explicit StoredFactorization(v1::Factorization facts) : facts_(std::move(facts)) {}
  int64_t rows() const { return facts_.decoders() + facts_.held_out_decoders(); }
  absl::Status CheckHasDecoders() const;
  absl::StatusOr<at::Tensor> Rows(const std::string& name) const;

  const v1::Factorization facts_;
  TensorMap tensors_;
  at::Tensor factors_;
};

}  // namespace superpose
