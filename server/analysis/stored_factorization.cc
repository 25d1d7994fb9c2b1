#include "server/analysis/stored_factorization.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/tensor_io/check_tensor.h"

namespace superpose {

absl::StatusOr<std::shared_ptr<const StoredFactorization>> StoredFactorization::Open(FactorizationStore* factorizations,
                                                                                     const std::string& name) {
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Factorization facts, factorizations->Get(name));
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, factorizations->Open(name));
  std::shared_ptr<StoredFactorization> stored(new StoredFactorization(std::move(facts)));
  stored->tensors_ = file.tensors();
  SUPERPOSE_RETURN_IF_ERROR(CatchTorch([&]() -> absl::Status {
    SUPERPOSE_RETURN_IF_ERROR(
        CheckTensor(stored->tensors_, "factors", {stored->facts_.factors(), stored->facts_.width()}));
    stored->factors_ = stored->tensors_.at("factors").to(at::kFloat);
    return absl::OkStatus();
  }));
  return stored;
}

absl::StatusOr<at::Tensor> StoredFactorization::Parameter() const {
  return CatchTorch([this]() -> absl::StatusOr<at::Tensor> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors_, "parameter", {facts_.factors(), facts_.width()}));
    return tensors_.at("parameter").to(at::kFloat);
  });
}

absl::Status StoredFactorization::CheckHasDecoders() const {
  if (tensors_.contains("directions")) return absl::OkStatus();
  return FailedPrecondition(reason::kTensorMissing, facts_.name(), " has no decoders, as it was imported: ",
                            "FactorizeDecoders with it as start and 0 epochs makes one that has, and says what it is "
                            "worth");
}

absl::StatusOr<at::Tensor> StoredFactorization::Directions() const {
  SUPERPOSE_RETURN_IF_ERROR(CheckHasDecoders());
  return CatchTorch([this]() -> absl::StatusOr<at::Tensor> {
    SUPERPOSE_RETURN_IF_ERROR(CheckTensor(tensors_, "directions", {rows(), facts_.width()}));
    return tensors_.at("directions").to(at::kFloat);
  });
}

absl::StatusOr<at::Tensor> StoredFactorization::Rows(const std::string& name) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckHasDecoders());
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    return FailedPrecondition(reason::kTensorMissing, facts_.name(), " has no tensor ", name);
  }
  if (found->second.dim() > 0 && found->second.size(0) == rows()) return found->second;
  return InvalidArgument(reason::kTensorShapeMismatch, facts_.name(), " has ", name, " of another length than its ",
                         rows(), " decoders");
}

absl::StatusOr<at::Tensor> StoredFactorization::Features() const {
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor features, Rows("feature"));
  if (features.dim() == 1 && features.scalar_type() == at::kLong) return features;
  return InvalidArgument(reason::kTensorShapeMismatch, facts_.name(), " has a tensor feature that is not int64 [",
                         rows(), "]");
}

absl::StatusOr<at::Tensor> StoredFactorization::HeldOutFeatures() const {
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor features, Features());
  return features.narrow(0, facts_.decoders(), facts_.held_out_decoders());
}

absl::StatusOr<int64_t> StoredFactorization::RowOf(int64_t feature) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor features, Features());
  return CatchTorch([&]() -> absl::StatusOr<int64_t> {
    const at::Tensor found = features.eq(feature).nonzero();
    if (found.size(0) > 0) return found[0][0].item<int64_t>();
    return InvalidArgument(reason::kFeatureOutOfRange, "feature ", feature, " is not among the ", rows(),
                           " decoders of ", facts_.name(), ", fitted or held out: its tensor feature lists them");
  });
}

absl::StatusOr<FactorCodes> StoredFactorization::Codes() const {
  if (!has_codes()) {
    return InvalidArgument(reason::kConfigInvalid, facts_.name(), " is of the form gram, in which decoders have no ",
                           "codes: ask by cosine");
  }
  FactorCodes codes;
  SUPERPOSE_ASSIGN_OR_RETURN(codes.ids, Rows("code_factors"));
  SUPERPOSE_ASSIGN_OR_RETURN(codes.values, Rows("code_values"));
  SUPERPOSE_RETURN_IF_ERROR(CheckFactorCodes(codes, facts_.factors()));
  return codes;
}

absl::Status StoredFactorization::CheckFactor(int64_t factor) const {
  if (factor >= 0 && factor < facts_.factors()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "factor is ", factor, ", but those of ", facts_.name(), " are 0 .. ",
                         facts_.factors() - 1);
}

}  // namespace superpose
