#include "server/factorization_files/factorization_tensors.h"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/factorization/factor_similarity.h"
#include "lib/factorization/factorizer_config.h"
#include "lib/statistics/analysis/row_blocks.h"
#include "lib/tensor_io/all_finite.h"

namespace superpose {
namespace {

// Sizes that shapes are made of.
enum Size { kFactors, kWidth, kDecoders, kCodes, kSteps, kRuns, kBins, kSizes };
using Sizes = std::array<int64_t, kSizes>;

// What its numbers may be, beside finite.
enum class Values { kAny, kUnitRows, kFactorIds, kFeatureIds };

struct TensorForm {
  const char* name;
  at::ScalarType type;
  std::vector<Size> shape;
  Values values = Values::kAny;
};

const std::vector<TensorForm>& TensorForms() {
  static const auto* forms =
      new std::vector<TensorForm>{{"factors", at::kFloat, {kFactors, kWidth}, Values::kUnitRows},
                                  {"parameter", at::kFloat, {kFactors, kWidth}},
                                  {"directions", at::kFloat, {kDecoders, kWidth}, Values::kUnitRows},
                                  {"feature", at::kLong, {kDecoders}, Values::kFeatureIds},
                                  {"rank", at::kLong, {kDecoders}},
                                  {"error", at::kFloat, {kDecoders}},
                                  {"cosine", at::kFloat, {kDecoders}},
                                  {"l0", at::kLong, {kDecoders}},
                                  {"code_factors", at::kInt, {kDecoders, kCodes}, Values::kFactorIds},
                                  {"code_values", at::kFloat, {kDecoders, kCodes}},
                                  {"uses", at::kLong, {kFactors}},
                                  {"nearest", at::kLong, {kFactors}, Values::kFactorIds},
                                  {"nearest_cosine", at::kFloat, {kFactors}},
                                  {"cosine_histogram", at::kLong, {kBins}},
                                  {"loss", at::kDouble, {kSteps}},
                                  {"decoder_loss", at::kDouble, {kSteps}},
                                  {"factor_loss", at::kDouble, {kSteps}},
                                  {"lr", at::kDouble, {kSteps}},
                                  {"stability_match", at::kLong, {kRuns, kFactors}, Values::kFactorIds},
                                  {"stability_cosine", at::kFloat, {kRuns, kFactors}}};
  return *forms;
}

int64_t SizeOf(const TensorMap& tensors, const std::string& name, int64_t dim) {
  const auto found = tensors.find(name);
  return found == tensors.end() || found->second.dim() <= dim ? 0 : found->second.size(dim);
}

absl::Status CheckSize(const char* name, int64_t size, int64_t least) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  if (size >= least && size <= kMost) return absl::OkStatus();
  return InvalidArgument(reason::kFileCorrupt, "by the file's description ", name, " is ", size, ": it must be ", least,
                         " .. ", kMost);
}

absl::StatusOr<Sizes> SizesOf(const v1::Factorization& factorization, const TensorMap& tensors) {
  SUPERPOSE_RETURN_IF_ERROR(CheckSize("factors", factorization.factors(), 1));
  SUPERPOSE_RETURN_IF_ERROR(CheckSize("width", factorization.width(), 1));
  SUPERPOSE_RETURN_IF_ERROR(CheckSize("decoders", factorization.decoders(), 0));
  SUPERPOSE_RETURN_IF_ERROR(CheckSize("held_out_decoders", factorization.held_out_decoders(), 0));
  const int64_t codes = SizeOf(tensors, "code_factors", 1);
  if (codes > kMostFactorCodes) {
    return InvalidArgument(reason::kTensorShapeMismatch, "code_factors has ", codes, " codes a decoder: at most ",
                           kMostFactorCodes, " are possible");
  }
  Sizes sizes = {};
  sizes[kFactors] = factorization.factors();
  sizes[kWidth] = factorization.width();
  sizes[kDecoders] = factorization.decoders() + factorization.held_out_decoders();
  sizes[kCodes] = codes;
  sizes[kSteps] = SizeOf(tensors, "loss", 0);
  sizes[kRuns] = SizeOf(tensors, "stability_match", 0);
  sizes[kBins] = kSimilarityBins;
  return sizes;
}

absl::Status CheckForm(const TensorForm& form, const Sizes& sizes, const at::Tensor& tensor) {
  if (tensor.scalar_type() != form.type) {
    return InvalidArgument(reason::kFileUnsupported, form.name, " holds ", at::toString(tensor.scalar_type()), ", not ",
                           at::toString(form.type));
  }
  std::vector<int64_t> shape;
  for (const Size size : form.shape) shape.push_back(sizes[size]);
  if (tensor.sizes() == at::IntArrayRef(shape)) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, form.name, " has shape [", absl::StrJoin(tensor.sizes(), ", "),
                         "], but by the description it has [", absl::StrJoin(shape, ", "), "]");
}

constexpr double kRounding = 1e-3;

// The first row of a matrix of this shape that is bad: is_bad(start, length) is bool [length], of a block of rows.
template <typename IsBad>
std::optional<int64_t> FirstBadRow(at::IntArrayRef shape, const IsBad& is_bad) {
  const RowBlocks blocks(shape[0], shape[1], kUnitEntries);
  for (int64_t block = 0; block < blocks.count(); ++block) {
    const at::Tensor bad = is_bad(blocks.start(block), blocks.length(block)).nonzero();
    if (bad.size(0) > 0) return blocks.start(block) + bad[0][0].item<int64_t>();
  }
  return std::nullopt;
}

// The first row whose length is not 1.
std::optional<int64_t> OtherLength(const at::Tensor& rows) {
  return FirstBadRow(rows.sizes(), [&](int64_t start, int64_t length) {
    return rows.narrow(0, start, length).norm(2, at::IntArrayRef{1}).sub(1).abs().gt(kRounding);
  });
}

// The first row of the parameter that does not point where its factor does; one of length 0 points nowhere.
std::optional<int64_t> OtherDirection(const at::Tensor& parameter, const at::Tensor& factors) {
  return FirstBadRow(parameter.sizes(), [&](int64_t start, int64_t length) {
    const at::Tensor rows = parameter.narrow(0, start, length).to(at::kDouble);
    const at::Tensor units = rows / rows.norm(2, at::IntArrayRef{1}, /*keepdim=*/true);
    return (units - factors.narrow(0, start, length)).abs().amax(1).le(kRounding).logical_not();
  });
}

// Of integers, from `low` to below `end`.
absl::Status CheckRange(const TensorForm& form, const at::Tensor& tensor, int64_t low, int64_t end) {
  if (tensor.numel() == 0 || (tensor.min().item<int64_t>() >= low && tensor.max().item<int64_t>() < end)) {
    return absl::OkStatus();
  }
  return InvalidArgument(reason::kFileCorrupt, form.name, " must be in ", low, " .. ", end - 1);
}

absl::Status CheckValues(const TensorForm& form, const Sizes& sizes, const at::Tensor& tensor) {
  if (tensor.is_floating_point() && !AllFinite(tensor)) {
    return InvalidArgument(reason::kTensorNotFinite, form.name, " holds NaN or infinity");
  }
  switch (form.values) {
    case Values::kAny:
      return absl::OkStatus();
    case Values::kFactorIds:
      return CheckRange(form, tensor, -1, sizes[kFactors]);
    case Values::kFeatureIds:
      return CheckRange(form, tensor, 0, std::numeric_limits<int32_t>::max());
    case Values::kUnitRows:
      break;
  }
  const std::optional<int64_t> row = OtherLength(tensor);
  if (!row.has_value()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "row ", *row, " of ", form.name, " has another length than 1");
}

// The one as a start, the other in questions: they must be the same factors.
absl::Status CheckAreTheSame(const at::Tensor& parameter, const at::Tensor& factors) {
  const std::optional<int64_t> row = OtherDirection(parameter, factors);
  if (!row.has_value()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "row ", *row, " of parameter, scaled to length 1, is not row ", *row,
                         " of factors");
}

absl::Status CheckNothingElse(const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors) {
    bool known = false;
    for (const TensorForm& form : TensorForms()) known = known || name == form.name;
    if (known) continue;
    return InvalidArgument(reason::kFileUnsupported, "it holds ", name, ", which no factorization has");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFactorizationTensors(const v1::Factorization& factorization, const TensorMap& tensors) {
  for (const char* name : {"factors", "parameter"}) {
    if (tensors.count(name) == 0) return NotFound(reason::kTensorMissing, "the file has no ", name);
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckNothingElse(tensors));
  SUPERPOSE_ASSIGN_OR_RETURN(const Sizes sizes, SizesOf(factorization, tensors));
  for (const TensorForm& form : TensorForms()) {
    const auto found = tensors.find(form.name);
    if (found == tensors.end()) continue;
    SUPERPOSE_RETURN_IF_ERROR(CheckForm(form, sizes, found->second));
    SUPERPOSE_RETURN_IF_ERROR(CheckValues(form, sizes, found->second));
  }
  return CheckAreTheSame(tensors.at("parameter"), tensors.at("factors"));
}

}  // namespace superpose
