#include "lib/factorization/factorization_run.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/directions.h"
#include "lib/tensor_io/content_hash.h"

namespace superpose {
namespace {

absl::Status CheckEpochs(const FactorizerConfig& config, bool has_start) {
  if (config.epochs != 0 || has_start) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "epochs is 0 and there is no start: nothing would be fitted");
}

absl::Status CheckStabilityRuns(int64_t runs, bool has_start) {
  if (has_start && runs != 0) {
    return InvalidArgument(reason::kConfigInvalid, "stability_runs is ", runs,
                           "; with a start it must be 0: other seeds would begin at the same factors");
  }
  if (runs >= 0 && runs <= kMostStabilityRuns) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "stability_runs is ", runs, "; it must be 0 to ", kMostStabilityRuns);
}

// The number of factors is that of the start.
absl::Status TakeStart(const at::Tensor& start, FactorizationRunConfig* config) {
  if (!start.defined()) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(WithContext(UnitDirections(start, at::kFloat).status(), "of the start"));
  config->factorizer.factors = start.size(0);
  return absl::OkStatus();
}

absl::Status CheckSizes(const at::Tensor& directions, const at::Tensor& start) {
  if (directions.size(0) < 2) {
    return FailedPrecondition(reason::kEmptySelection, "there are ", directions.size(0),
                              " decoders to factorize; it takes 2 or more");
  }
  if (!start.defined() || start.size(1) == directions.size(1)) return absl::OkStatus();
  return InvalidArgument(reason::kTensorShapeMismatch, "the start has width ", start.size(1), ", the decoders ",
                         directions.size(1));
}

double MeanOf(const at::Tensor& cosines) { return cosines.mean(at::kDouble).item<double>(); }

}  // namespace

absl::Status ValidateFactorizationRunConfig(const FactorizationRunConfig& config, bool has_start) {
  SUPERPOSE_RETURN_IF_ERROR(CheckEpochs(config.factorizer, has_start));
  FactorizerConfig fitting = config.factorizer;
  if (fitting.epochs == 0) fitting.epochs = 1;
  SUPERPOSE_RETURN_IF_ERROR(ValidateFactorizerConfig(fitting));
  SUPERPOSE_RETURN_IF_ERROR(CheckStabilityRuns(config.stability_runs, has_start));
  if (!(config.held_out_share >= 0 && config.held_out_share < 1)) {
    return InvalidArgument(reason::kConfigInvalid, "held_out_share is ", config.held_out_share,
                           "; it must be 0 or more, and less than 1");
  }
  if (config.duplicate_cosine > 0 && config.duplicate_cosine <= 1) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "duplicate_cosine is ", config.duplicate_cosine,
                         "; it must be above 0, and 1 at most");
}

absl::StatusOr<std::unique_ptr<FactorizationRun>> FactorizationRun::Create(FactorizationRunInputs inputs,
                                                                           FactorizationRunConfig config) {
  SUPERPOSE_RETURN_IF_ERROR(TakeStart(inputs.start, &config));
  SUPERPOSE_RETURN_IF_ERROR(ValidateFactorizationRunConfig(config, inputs.start.defined()));
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor units, UnitDirections(inputs.directions, at::kFloat));
  inputs.directions = at::Tensor();
  SUPERPOSE_RETURN_IF_ERROR(CheckSizes(units, inputs.start));
  SUPERPOSE_ASSIGN_OR_RETURN(DecoderSplit split, SplitDecoders(units.size(0), config.held_out_share,
                                                               config.factorizer.seed, inputs.may_hold_out));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<FactorizationRun>> {
    at::Tensor rows = units.cpu().index_select(0, at::cat({split.fitted, split.held_out}));
    units = at::Tensor();
    return std::unique_ptr<FactorizationRun>(
        new FactorizationRun(config, std::move(split), std::move(rows), std::move(inputs.start)));
  });
}

FactorizationRun::FactorizationRun(FactorizationRunConfig config, DecoderSplit split, at::Tensor directions,
                                   at::Tensor start)
    : config_(config),
      split_(std::move(split)),
      directions_(std::move(directions)),
      start_(std::move(start)),
      steps_per_fit_(FactorSteps(config_.factorizer, split_.fitted.size(0))),
      directions_hash_(ContentHash({{"directions", directions_}})) {
  if (start_.defined()) start_hash_ = ContentHash({{"start", start_.to(at::kCPU, at::kFloat).contiguous()}});
  if (fits() > 0) return;
  parameter_ = start_.to(at::kCPU, at::kFloat).contiguous();
  phase_ = Phase::kMeasure;
}

int64_t FactorizationRun::fits() const { return config_.factorizer.epochs > 0 ? 1 + config_.stability_runs : 0; }
int64_t FactorizationRun::fit() const { return std::min(fits_done_ + 1, fits()); }
int64_t FactorizationRun::steps_total() const { return fits() * steps_per_fit_; }
int64_t FactorizationRun::steps_done() const {
  const int64_t of_this_fit = factorizer_ ? factorizer_->step() : phase_ == Phase::kMatch ? steps_per_fit_ : 0;
  return fits_done_ * steps_per_fit_ + of_this_fit;
}
int64_t FactorizationRun::parts_measured() const { return meter_ ? meter_->parts_done() : 0; }
std::optional<FactorizerLoss> FactorizationRun::newest_loss() const { return newest_loss_; }
const FactorizationQuality& FactorizationRun::quality() const { return meter_->quality(); }
const DecoderSplit& FactorizationRun::split() const { return split_; }
const std::vector<FactorizerLoss>& FactorizationRun::history() const { return history_; }

std::optional<double> FactorizationRun::stability() const {
  if (stability_.empty()) return std::nullopt;
  double sum = 0;
  for (const Stability& run : stability_) sum += run.similarity;
  return sum / static_cast<double>(stability_.size());
}

at::Tensor FactorizationRun::HeldOutRows() const {
  const int64_t held_out = split_.held_out.size(0);
  return held_out > 0 ? directions_.narrow(0, split_.fitted.size(0), held_out) : at::Tensor();
}

bool FactorizationRun::at_boundary() const {
  if (phase_ == Phase::kMatch) return false;
  return factorizer_ == nullptr || factorizer_->at_step_boundary();
}

absl::StatusOr<bool> FactorizationRun::RunSlice(const Budget& budget) {
  SUPERPOSE_RETURN_IF_ERROR(failure_);
  while (phase_ != Phase::kDone) {
    failure_ = CatchTorch([&] { return RunPart(budget); });
    SUPERPOSE_RETURN_IF_ERROR(failure_);
    if (budget.Exhausted()) break;
  }
  return phase_ == Phase::kDone;
}

absl::Status FactorizationRun::RunPart(const Budget& budget) {
  switch (phase_) {
    case Phase::kFit:
      return Fit(budget);
    case Phase::kMatch:
      return Match();
    case Phase::kMeasure:
      return Measure(budget);
    case Phase::kDone:
      break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Factorizer>> FactorizationRun::MakeFactorizer(int64_t fit) const {
  FactorizerConfig config = config_.factorizer;
  config.seed += static_cast<uint64_t>(fit);
  return Factorizer::Create({.decoders = FittedRows(), .start = start_, .orders = {}}, config);
}

absl::Status FactorizationRun::Fit(const Budget& budget) {
  if (factorizer_ == nullptr) {
    history_.reserve(static_cast<size_t>(steps_per_fit_));
    SUPERPOSE_ASSIGN_OR_RETURN(factorizer_, MakeFactorizer(fits_done_));
    return absl::OkStatus();
  }
  const absl::StatusOr<bool> done = factorizer_->RunSlice(budget);
  TakeLosses();
  SUPERPOSE_RETURN_IF_ERROR(done.status());
  return *done ? FinishFit() : absl::OkStatus();
}

void FactorizationRun::TakeLosses() {
  const std::vector<FactorizerLoss> losses = factorizer_->HistorySince(0);
  if (losses.empty()) return;
  newest_loss_ = losses.back();
  if (fits_done_ == 0) history_.insert(history_.end(), losses.begin(), losses.end());
  factorizer_->ForgetHistoryUpTo(losses.back().step);
}

absl::Status FactorizationRun::FinishFit() {
  const at::Tensor parameter = factorizer_->CheckpointTensors().at("factors");
  factorizer_.reset();
  if (fits_done_ == 0) {
    parameter_ = parameter;
    NextFit();
    return absl::OkStatus();
  }
  phase_ = Phase::kMatch;  // also where what follows fails: this fit is over
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor left, UnitDirections(parameter_, at::kFloat));
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor right, UnitDirections(parameter, at::kFloat));
  matcher_ = std::make_unique<FactorMatcher>(std::move(left), std::move(right));
  return absl::OkStatus();
}

void FactorizationRun::NextFit() {
  ++fits_done_;
  phase_ = fits_done_ < fits() ? Phase::kFit : Phase::kMeasure;
}

absl::Status FactorizationRun::Match() {
  if (!matcher_->RunUnit()) return absl::OkStatus();
  const FactorMatch &there = matcher_->left(), &back = matcher_->right();
  stability_.push_back({.match = there, .similarity = (MeanOf(there.cosine) + MeanOf(back.cosine)) / 2});
  matcher_.reset();
  NextFit();
  return absl::OkStatus();
}

absl::Status FactorizationRun::Measure(const Budget& budget) {
  if (meter_ == nullptr) {
    SUPERPOSE_ASSIGN_OR_RETURN(factors_, UnitDirections(parameter_, at::kFloat));
    const FactorizerConfig& fitted = config_.factorizer;
    SUPERPOSE_ASSIGN_OR_RETURN(
        meter_, QualityMeter::Create({factors_, FittedRows(), HeldOutRows()},
                                     {.rule = {.form = fitted.form, .codes = fitted.codes, .theta = fitted.theta},
                                      .duplicate_cosine = config_.duplicate_cosine,
                                      .seed = fitted.seed}));
    return absl::OkStatus();
  }
  SUPERPOSE_ASSIGN_OR_RETURN(const bool done, meter_->RunSlice(budget));
  if (done) phase_ = Phase::kDone;
  return absl::OkStatus();
}

}  // namespace superpose
