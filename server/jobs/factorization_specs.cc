#include "server/jobs/factorization_specs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "server/analysis/direction_rows.h"
#include "server/analysis/stored_factorization.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/reasons.h"
#include "server/runtime/spec_checks.h"

namespace superpose {
namespace {

constexpr int64_t kMostFactorsByDefault = 10'000;

// The enums of the contract have the library's values in their order, after UNSPECIFIED.
static_assert(static_cast<int>(FactorForm::kTopK) + 1 == v1::FACTORIZATION_FORM_TOPK);
static_assert(static_cast<int>(FactorForm::kGram) + 1 == v1::FACTORIZATION_FORM_GRAM);
static_assert(static_cast<int>(FactorSchedule::kCosine) + 1 == v1::FACTORIZATION_SCHEDULE_COSINE);
static_assert(static_cast<int>(FactorSchedule::kReference) + 1 == v1::FACTORIZATION_SCHEDULE_REFERENCE);

absl::Status ResolveEnums(v1::FactorizationSpec* spec) {
  if (!v1::FactorizationForm_IsValid(spec->form()) || !v1::FactorizationSchedule_IsValid(spec->schedule())) {
    return InvalidArgument(reason::kConfigInvalid, "form or schedule has a value that this server does not know");
  }
  if (spec->form() == v1::FACTORIZATION_FORM_UNSPECIFIED) spec->set_form(v1::FACTORIZATION_FORM_TOPK);
  if (spec->schedule() == v1::FACTORIZATION_SCHEDULE_UNSPECIFIED) {
    spec->set_schedule(v1::FACTORIZATION_SCHEDULE_COSINE);
  }
  return absl::OkStatus();
}

// One that is there twice could be fitted and held out.
absl::Status CheckNamedOnce(const at::Tensor& features) {
  return CatchTorch([&]() -> absl::Status {
    const at::Tensor sorted = std::get<0>(features.sort());
    const at::Tensor twice = sorted.diff().eq(0).nonzero();
    if (twice.numel() == 0) return absl::OkStatus();
    return InvalidArgument(reason::kConfigInvalid, "directions name feature ",
                           sorted[twice[0][0].item<int64_t>()].item<int64_t>(), " twice");
  });
}

absl::StatusOr<DirectionShape> ResolveDecoders(const AnalysisSources& sources, v1::DirectionSource* directions) {
  if (!directions->factorization().empty()) {
    return InvalidArgument(reason::kConfigInvalid, "directions are the factors of ", directions->factorization(),
                           ": decoders are factorized, name a transcoder or a snapshot");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(DirectionShape shape, ResolveDirections(sources, directions));
  if (shape.rows < 2) {
    return FailedPrecondition(reason::kEmptySelection, "directions choose ", shape.rows,
                              " decoders; it takes 2 or more to factorize");
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckNamedOnce(shape.ids));
  return shape;
}

// The factorization to begin with; nothing without one.
absl::StatusOr<std::optional<v1::Factorization>> FindStart(const AnalysisSources& sources,
                                                           const v1::FactorizationSpec& spec, int64_t width) {
  if (spec.start().empty()) return std::nullopt;
  SUPERPOSE_ASSIGN_OR_RETURN(v1::Factorization start, sources.factorizations->Get(spec.start()));
  if (start.width() != width) {
    return InvalidArgument(reason::kTensorShapeMismatch, "start: ", spec.start(), " has width ", start.width(),
                           ", the decoders ", width);
  }
  if (spec.has_factors() && spec.factors() != start.factors()) {
    return InvalidArgument(reason::kConfigInvalid, "factors is ", spec.factors(), ", and ", spec.start(), " has ",
                           start.factors(), ": leave factors out to begin with them");
  }
  return start;
}

// How many decoders are.
absl::StatusOr<int64_t> CountHeldOut(const AnalysisSources& sources, const v1::FactorizationSpec& spec,
                                     const DirectionShape& shape) {
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor may, MayHoldOut(sources, spec, shape.ids));
  const int64_t count = HeldOutCount(shape.rows, spec.held_out_share());
  return may.defined() ? std::min(count, may.numel()) : count;
}

// What depends on how many decoders are fitted.
void FillSizes(const std::optional<v1::Factorization>& start, int64_t fitted, v1::FactorizationSpec* spec) {
  constexpr int64_t kStepsOfAnEpoch = 10;  // at least, where there are so many decoders
  const int64_t batch = std::clamp<int64_t>(fitted / kStepsOfAnEpoch, 1, FactorizerConfig().batch_size);
  if (!spec->has_batch_size()) spec->set_batch_size(static_cast<int32_t>(batch));
  const int64_t standard = std::clamp<int64_t>(fitted / 2, 1, kMostFactorsByDefault);
  if (!spec->has_factors()) spec->set_factors(static_cast<int32_t>(start ? start->factors() : standard));
  const int64_t codes = std::min<int64_t>(FactorizerConfig().codes, std::max(1, spec->factors()));
  if (!spec->has_codes() && spec->form() == v1::FACTORIZATION_FORM_TOPK) spec->set_codes(static_cast<int32_t>(codes));
}

void FillDefaults(v1::FactorizationSpec* spec) {
  const FactorizationRunConfig standard;
  FactorizerConfig config = standard.factorizer;
  config.form = static_cast<FactorForm>(spec->form() - 1);
  if (!spec->has_theta()) spec->set_theta(config.theta);
  if (!spec->has_factor_param()) spec->set_factor_param(FactorParamOf(config));
  if (!spec->has_epochs()) spec->set_epochs(static_cast<int32_t>(config.epochs));
  if (!spec->has_lr()) spec->set_lr(LrOf(config));
  if (!spec->has_weight_decay()) spec->set_weight_decay(config.weight_decay);
  if (!spec->has_adam_eps()) spec->set_adam_eps(config.adam_eps);
  if (!spec->has_seed()) spec->set_seed(config.seed);
  const bool has_start = !spec->start().empty();
  if (!spec->has_held_out_share()) spec->set_held_out_share(has_start ? 0 : standard.held_out_share);
  if (!spec->has_stability_runs()) {
    spec->set_stability_runs(has_start ? 0 : static_cast<int32_t>(standard.stability_runs));
  }
  if (!spec->has_duplicate_cosine()) spec->set_duplicate_cosine(standard.duplicate_cosine);
}

// The decoders are read first, then factorized.
MemoryEstimate EstimateWithReading(const FactorizationRunConfig& config, const DirectionShape& shape) {
  MemoryEstimate estimate = EstimateFactorizationRun(config, shape.rows, shape.width);
  const int64_t reading = shape.rows * shape.width * kFloatBytes + shape.reading_bytes;
  estimate.peak_bytes = std::max(estimate.peak_bytes, reading);
  return estimate;
}

}  // namespace

absl::StatusOr<v1::FactorizationSpec> ResolveFactorizationSpec(const AnalysisSources& sources,
                                                               v1::FactorizationSpec spec) {
  SUPERPOSE_RETURN_IF_ERROR(ResolveEnums(&spec));
  SUPERPOSE_RETURN_IF_ERROR(CheckLabels(spec.labels()));
  SUPERPOSE_ASSIGN_OR_RETURN(const DirectionShape shape, ResolveDecoders(sources, spec.mutable_directions()));
  SUPERPOSE_ASSIGN_OR_RETURN(const auto start, FindStart(sources, spec, shape.width));
  FillDefaults(&spec);
  SUPERPOSE_ASSIGN_OR_RETURN(const int64_t held_out, CountHeldOut(sources, spec, shape));
  FillSizes(start, shape.rows - held_out, &spec);
  SUPERPOSE_RETURN_IF_ERROR(ValidateFactorizationRunConfig(FactorizationRunConfigOf(spec), start.has_value()));
  return spec;
}

absl::StatusOr<at::Tensor> MayHoldOut(const AnalysisSources& sources, const v1::FactorizationSpec& spec,
                                      const at::Tensor& features) {
  if (spec.start().empty() || !(spec.held_out_share() > 0)) return at::Tensor();
  SUPERPOSE_ASSIGN_OR_RETURN(const auto start, StoredFactorization::Open(sources.factorizations, spec.start()));
  const absl::StatusOr<at::Tensor> unseen = start->HeldOutFeatures();
  if (ReasonOf(unseen.status()) == reason::kTensorMissing) {
    return InvalidArgument(reason::kConfigInvalid, "held_out_share is ", spec.held_out_share(), ", but ", spec.start(),
                           " does not say what it was fitted on: leave held_out_share out");
  }
  SUPERPOSE_RETURN_IF_ERROR(unseen.status());
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    at::Tensor may = at::isin(features, *unseen).nonzero().squeeze(1);
    if (may.numel() > 0) return may;
    return InvalidArgument(reason::kConfigInvalid, "held_out_share is ", spec.held_out_share(), ", but none of the ",
                           features.numel(), " decoders was held out of ", spec.start(),
                           ": what it was fitted on tells nothing of others. Leave held_out_share out");
  });
}

absl::Status CheckFactorizationDirections(const AnalysisSources& sources, const v1::FactorizationSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const DirectionCount count, CountDirections(sources, spec.directions(), /*enough=*/2));
  if (count.defined >= 2) return absl::OkStatus();
  return FailedPrecondition(reason::kEmptySelection, "of the decoders that directions choose ", count.defined,
                            " is left, and ", count.undefined, " are not defined; it takes 2 or more to factorize");
}

FactorizationRunConfig FactorizationRunConfigOf(const v1::FactorizationSpec& spec) {
  FactorizationRunConfig config;
  config.factorizer = {.form = static_cast<FactorForm>(spec.form() - 1),
                       .factors = spec.factors(),
                       .codes = spec.codes(),
                       .theta = spec.theta(),
                       .factor_param = spec.factor_param(),
                       .epochs = spec.epochs(),
                       .batch_size = spec.batch_size(),
                       .lr = spec.lr(),
                       .weight_decay = spec.weight_decay(),
                       .adam_eps = spec.adam_eps(),
                       .schedule = static_cast<FactorSchedule>(spec.schedule() - 1),
                       .seed = spec.seed()};
  config.held_out_share = spec.held_out_share();
  config.stability_runs = spec.stability_runs();
  config.duplicate_cosine = spec.duplicate_cosine();
  return config;
}

absl::StatusOr<FactorizationJobEstimate> EstimateFactorizationJob(const AnalysisSources& sources,
                                                                  const v1::FactorizationSpec& spec) {
  v1::DirectionSource directions = spec.directions();
  SUPERPOSE_ASSIGN_OR_RETURN(const DirectionShape shape, ResolveDirections(sources, &directions));
  FactorizationJobEstimate estimate;
  estimate.memory = EstimateWithReading(FactorizationRunConfigOf(spec), shape);
  SUPERPOSE_ASSIGN_OR_RETURN(estimate.held_out_decoders, CountHeldOut(sources, spec, shape));
  estimate.decoders = shape.rows - estimate.held_out_decoders;
  return estimate;
}

std::string FactorizationThatFits(const AnalysisSources& sources, const v1::FactorizationSpec& spec, int64_t room) {
  v1::DirectionSource directions = spec.directions();
  const auto shape = ResolveDirections(sources, &directions);
  if (!shape.ok()) return "";
  const auto bytes_with = [&](int64_t factors, int64_t batch_size) {
    FactorizationRunConfig config = FactorizationRunConfigOf(spec);
    config.factorizer.factors = factors;
    config.factorizer.batch_size = batch_size;
    return EstimateWithReading(config, *shape).peak_bytes;
  };
  const int64_t fewest = std::max(1, spec.codes());
  const int64_t factors =
      LargestThatFits(spec.factors(), room, [&](int64_t count) { return bytes_with(count, spec.batch_size()); });
  if (spec.start().empty() && factors >= fewest) return absl::StrCat("factors ", factors, " would fit");
  const int64_t least = spec.start().empty() ? fewest : spec.factors();
  const int64_t batch = LargestThatFits(spec.batch_size(), room, [&](int64_t size) { return bytes_with(least, size); });
  if (batch > 0) return absl::StrCat("batch_size ", batch, " with factors ", least, " would fit");
  return absl::StrCat("factors ", least, " with batch_size 1 take ", BytesInWords(bytes_with(least, 1)),
                      " already: take fewer decoders or epochs, unload something, or raise memory_limit_bytes");
}

}  // namespace superpose
