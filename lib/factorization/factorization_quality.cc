#include "lib/factorization/factorization_quality.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/corpus/corpus.h"
#include "lib/factorization/directions.h"

namespace superpose {
namespace {

absl::Status CheckSettings(const QualitySettings& settings) {
  const ExplainRule& rule = settings.rule;
  if (rule.form == FactorForm::kTopK && (rule.codes < 1 || rule.codes > kMostFactorCodes)) {
    return InvalidArgument(reason::kConfigInvalid, "codes is ", rule.codes, "; it must be 1 to ", kMostFactorCodes);
  }
  if (rule.form == FactorForm::kGram && !(rule.theta > 0 && std::isfinite(rule.theta))) {
    return InvalidArgument(reason::kConfigInvalid, "theta is ", rule.theta, "; it must be a finite number above 0");
  }
  if (settings.duplicate_cosine > 0 && settings.duplicate_cosine <= 1) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "duplicate_cosine is ", settings.duplicate_cosine,
                         "; it must be above 0 and 1 at most");
}

absl::StatusOr<at::Tensor> UnitRowsOf(const at::Tensor& rows, int64_t d, const char* name) {
  absl::StatusOr<at::Tensor> units = UnitDirections(rows, at::kFloat);
  if (!units.ok()) return WithContext(units.status(), name);
  if (d > 0 && units->size(1) != d) {
    return InvalidArgument(reason::kTensorShapeMismatch, name, " have width ", units->size(1), ", the factors ", d);
  }
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> { return units->cpu().contiguous(); });
}

absl::Status TakeUnitRows(QualityInputs& inputs) {
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.factors, UnitRowsOf(inputs.factors, 0, "factors"));
  const int64_t d = inputs.factors.size(1);
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.decoders, UnitRowsOf(inputs.decoders, d, "decoders"));
  if (!inputs.held_out.defined()) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(inputs.held_out, UnitRowsOf(inputs.held_out, d, "decoders held out"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<QualityMeter>> QualityMeter::Create(QualityInputs inputs, QualitySettings settings) {
  SUPERPOSE_RETURN_IF_ERROR(CheckSettings(settings));
  SUPERPOSE_RETURN_IF_ERROR(TakeUnitRows(inputs));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<QualityMeter>> {
    return std::unique_ptr<QualityMeter>(new QualityMeter(std::move(inputs), settings));
  });
}

QualityMeter::QualityMeter(QualityInputs inputs, QualitySettings settings)
    : inputs_(std::move(inputs)), settings_(settings) {
  AddFactors();
  const auto centres = std::make_shared<at::Tensor>(), principal = std::make_shared<at::Tensor>();
  const int64_t factors = inputs_.factors.size(0);
  parts_.push_back([this, centres, factors, means = std::shared_ptr<KMeansCentres>()]() mutable {
    if (!means) means = std::make_shared<KMeansCentres>(inputs_.decoders, factors, settings_.seed);
    if (!means->RunUnit()) return false;
    *centres = means->centres();
    means.reset();
    return true;
  });
  AddBaseline(centres, &quality_.k_means);
  parts_.push_back([this, principal, factors] {
    *principal = PrincipalDirections(inputs_.decoders, factors);
    return true;
  });
  AddBaseline(principal, &quality_.pca);
}

// The explainer, and what it holds, is there from the part's first unit to its last.
void QualityMeter::AddExplanation(const at::Tensor& decoders, std::function<at::Tensor()> directions,
                                  std::function<void(const Explanation&)> take) {
  parts_.push_back([this, decoders, directions = std::move(directions), take = std::move(take),
                    explainer = std::shared_ptr<Explainer>()]() mutable {
    if (!explainer) explainer = std::make_shared<Explainer>(settings_.rule, decoders, directions());
    if (!explainer->RunUnit()) return false;
    take(explainer->explanation());
    explainer.reset();
    return true;
  });
}

void QualityMeter::AddFactors() {
  const auto factors = [this] { return inputs_.factors; };
  AddExplanation(inputs_.decoders, factors, [this](const Explanation& explanation) {
    quality_.fitted = explanation;
    quality_.dead = explanation.uses.eq(0).sum().item<int64_t>();
  });
  if (inputs_.held_out.defined()) {
    AddExplanation(inputs_.held_out, factors,
                   [this](const Explanation& explanation) { quality_.held_out = explanation; });
  }
  parts_.push_back([this, scan = std::shared_ptr<SimilarityScan>()]() mutable {
    if (!scan) scan = std::make_shared<SimilarityScan>(inputs_.factors);
    if (!scan->RunUnit()) return false;
    quality_.similarity = scan->similarity();
    quality_.duplicates = CountDuplicates(quality_.similarity, settings_.duplicate_cosine);
    scan.reset();
    return true;
  });
}

void QualityMeter::AddBaseline(const std::shared_ptr<at::Tensor>& directions, BaselineQuality* quality) {
  const auto get = [directions] { return *directions; };
  AddExplanation(inputs_.decoders, get, [directions, quality](const Explanation& explanation) {
    quality->directions = directions->size(0);
    quality->fitted = Summarize(explanation);
  });
  if (inputs_.held_out.defined()) {
    AddExplanation(inputs_.held_out, get,
                   [quality](const Explanation& explanation) { quality->held_out = Summarize(explanation); });
  }
  parts_.push_back([directions] {
    *directions = at::Tensor();
    return true;
  });
}

absl::StatusOr<bool> QualityMeter::RunSlice(const Budget& budget) {
  SUPERPOSE_RETURN_IF_ERROR(failure_);
  while (part_ < parts_.size()) {
    failure_ = CatchTorch([&] {
      if (parts_[part_]()) ++part_;
      return absl::OkStatus();
    });
    SUPERPOSE_RETURN_IF_ERROR(failure_);
    if (budget.Exhausted()) break;
  }
  return part_ == parts_.size();
}

int64_t HeldOutCount(int64_t decoders, double held_out_share) {
  if (decoders < 2 || !(held_out_share >= 0 && held_out_share < 1)) return 0;
  return std::min(static_cast<int64_t>(held_out_share * static_cast<double>(decoders)), decoders - 2);
}

absl::StatusOr<DecoderSplit> SplitDecoders(int64_t decoders, double held_out_share, uint64_t seed,
                                           const at::Tensor& may_hold_out) {
  if (!(held_out_share >= 0 && held_out_share < 1)) {
    return InvalidArgument(reason::kConfigInvalid, "the share that is held out is ", held_out_share,
                           "; it must be 0 or more, and less than 1");
  }
  if (decoders < 2) {
    return InvalidArgument(reason::kConfigInvalid, "there are ", decoders, " decoders; it takes 2 or more");
  }
  return CatchTorch([&]() -> absl::StatusOr<DecoderSplit> {
    constexpr uint64_t kSplitSalt = 0x5911d;  // another order than that of the first epoch
    const std::vector<int64_t> order =
        SequenceSampler(decoders, SequenceOrder::kShuffled, seed ^ kSplitSalt).Next(decoders);
    at::Tensor ids = at::tensor(order, at::kLong);
    int64_t held_out = HeldOutCount(decoders, held_out_share);
    if (may_hold_out.defined()) {
      const at::Tensor may = at::isin(ids, may_hold_out);
      ids = at::cat({ids.masked_select(may), ids.masked_select(may.logical_not())});
      held_out = std::min(held_out, may_hold_out.numel());
    }
    const auto sorted = [&](int64_t first, int64_t size) { return std::get<0>(ids.narrow(0, first, size).sort()); };
    return DecoderSplit{.fitted = sorted(held_out, decoders - held_out), .held_out = sorted(0, held_out)};
  });
}

}  // namespace superpose
