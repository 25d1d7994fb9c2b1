#include "lib/factorization/factorizer.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/directions.h"
#include "lib/factorization/factor_loops.h"
#include "lib/factorization/factor_tiles.h"
#include "lib/kernels/sparse_ops.h"
#include "lib/tensor_io/all_finite.h"
#include "lib/tensor_io/content_hash.h"

namespace superpose {
namespace {

constexpr int64_t kRowsAtOnce = 16;
// Sets the start's order apart from those of the epochs.
constexpr uint64_t kStartSalt = 0x5eed0fac7025;

absl::Status CheckDecoders(const at::Tensor& decoders) {
  if (!decoders.defined() || decoders.dim() != 2 || decoders.size(0) >= 2) return absl::OkStatus();
  return FailedPrecondition(reason::kEmptySelection, "there are ", decoders.size(0),
                            " decoders to factorize; it takes 2 or more");
}

absl::Status CheckStart(const at::Tensor& start, int64_t factors, int64_t d) {
  if (!start.defined()) return absl::OkStatus();
  if (start.dim() != 2 || start.size(0) != factors || start.size(1) != d || !start.is_floating_point()) {
    return InvalidArgument(reason::kTensorShapeMismatch, "the start must be a floating-point tensor [", factors, ", ",
                           d, "]");
  }
  return WithContext(UnitDirections(start, at::kFloat).status(), "of the start");
}

absl::Status CheckOrders(const at::Tensor& orders, int64_t epochs, int64_t decoders) {
  if (!orders.defined()) return absl::OkStatus();
  if (orders.dim() != 2 || orders.size(0) != epochs || orders.size(1) != decoders ||
      !at::isIntegralType(orders.scalar_type(), /*includeBool=*/false)) {
    return InvalidArgument(reason::kTensorShapeMismatch, "the orders must be whole numbers [", epochs, ", ", decoders,
                           "]");
  }
  const at::Tensor sorted = std::get<0>(orders.to(at::kLong).sort(1));
  if (sorted.eq(at::arange(decoders, at::kLong)).all().item<bool>()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "an order must hold each of 0 to ", decoders - 1, " once");
}

void ForEachRow(int64_t rows, const std::function<void(int64_t)>& body) {
  at::parallel_for(0, rows, kRowsAtOnce, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) body(r);
  });
}

void NormalizeRows(const at::Tensor& rows, const at::Tensor& units, const at::Tensor& norms) {
  const int64_t d = rows.size(1);
  const float* const from = rows.const_data_ptr<float>();
  float* const to = units.mutable_data_ptr<float>();
  float* const norm = norms.mutable_data_ptr<float>();
  ForEachRow(rows.size(0), [&](int64_t r) { norm[r] = NormalizeRow(from + r * d, to + r * d, d); });
}

void ProjectGradient(const at::Tensor& gradient, const at::Tensor& units, const at::Tensor& norms) {
  const int64_t d = units.size(1);
  float* const out = gradient.mutable_data_ptr<float>();
  const float* const unit = units.const_data_ptr<float>();
  const float* const norm = norms.const_data_ptr<float>();
  ForEachRow(units.size(0), [&](int64_t r) { ProjectGradientRow(out + r * d, unit + r * d, norm[r], d); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Factorizer>> Factorizer::Create(FactorizerInputs inputs, FactorizerConfig config) {
  SUPERPOSE_RETURN_IF_ERROR(ValidateFactorizerConfig(config));
  SUPERPOSE_RETURN_IF_ERROR(CheckDecoders(inputs.decoders));
  SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor decoders, UnitDirections(inputs.decoders, at::kFloat));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Factorizer>> {
    decoders = decoders.cpu().contiguous();
    inputs.decoders = at::Tensor();
    SUPERPOSE_RETURN_IF_ERROR(CheckStart(inputs.start, config.factors, decoders.size(1)));
    SUPERPOSE_RETURN_IF_ERROR(CheckOrders(inputs.orders, config.epochs, decoders.size(0)));
    return std::unique_ptr<Factorizer>(new Factorizer(inputs, std::move(decoders), config));
  });
}

Factorizer::Factorizer(const FactorizerInputs& inputs, at::Tensor decoders, FactorizerConfig config)
    : config_(config),
      decoders_(std::move(decoders)),
      orders_(inputs.orders.defined() ? inputs.orders.to(at::kCPU, at::kLong).contiguous() : at::Tensor()),
      steps_per_epoch_(FactorStepsPerEpoch(config_, decoders_.size(0))),
      steps_(FactorSteps(config_, decoders_.size(0))),
      factor_param_(FactorParamOf(config_)),
      decoders_hash_(ContentHash({{"decoders", decoders_}})),
      sampler_(decoders_.size(0), SequenceOrder::kShuffled, config_.seed) {
  const int64_t d = decoders_.size(1), most_rows = std::min(config_.batch_size, decoders_.size(0));
  parameter_ = at::empty({config_.factors, d}, at::kFloat);
  exp_avg_ = at::zeros_like(parameter_);
  exp_avg_sq_ = at::zeros_like(parameter_);
  factors_ = at::empty_like(parameter_);
  gradient_ = at::empty_like(parameter_);
  norms_ = at::empty({config_.factors}, at::kFloat);
  batch_rows_ = at::empty({most_rows, d}, at::kFloat);
  decoder_term_ = MakeDecoderTerm(config_, most_rows, d);
  if (factor_param_ > 0) factor_pairs_ = std::make_unique<FactorPairs>(config_.factors, config_.theta);
  DrawStart(inputs.start);
  if (inputs.start.defined()) start_hash_ = ContentHash({{"start", parameter_}});
  if (orders_.defined()) orders_hash_ = ContentHash({{"orders", orders_}});
}

void Factorizer::DrawStart(const at::Tensor& given) {
  if (given.defined()) {
    parameter_.copy_(given);
    return;
  }
  int64_t taken = 0;
  if (config_.form == FactorForm::kTopK) {
    taken = std::min(config_.factors, decoders_.size(0));
    const std::vector<int64_t> ids =
        SequenceSampler(decoders_.size(0), SequenceOrder::kShuffled, config_.seed ^ kStartSalt).Next(taken);
    at::Tensor rows = parameter_.narrow(0, 0, taken);
    at::index_select_out(rows, decoders_, 0, at::tensor(ids, at::kLong));
    rows.mul_(std::sqrt(static_cast<double>(decoders_.size(1))));
  }
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(config_.seed);
  parameter_.narrow(0, taken, config_.factors - taken).normal_(0, 1, generator);
}

absl::StatusOr<bool> Factorizer::RunSlice(const Budget& budget) {
  SUPERPOSE_RETURN_IF_ERROR(failure_);
  while (step_ < steps_) {
    failure_ = CatchTorch([&] { return RunUnit(); });
    SUPERPOSE_RETURN_IF_ERROR(failure_);
    if (budget.Exhausted()) break;
  }
  return step_ == steps_;
}

absl::Status Factorizer::RunUnit() {
  switch (phase_) {
    case Phase::kStart:
      StartStep();
      return absl::OkStatus();
    case Phase::kNormalize:
      NormalizeBlock();
      return absl::OkStatus();
    case Phase::kDecoders:
      if (decoder_term_->RunUnit(factors_, gradient_)) AfterDecoders();
      return phase_ == Phase::kUpdate ? FinishLosses() : absl::OkStatus();
    case Phase::kFactors:
      return factor_pairs_->RunTile(factors_, gradient_, factor_param_) ? FinishLosses() : absl::OkStatus();
    case Phase::kUpdate:
      return UpdateBlock();
  }
  return absl::OkStatus();
}

void Factorizer::StartStep() {
  const int64_t n = decoders_.size(0), epoch = step_ / steps_per_epoch_;
  const int64_t first = step_ % steps_per_epoch_ * config_.batch_size;
  const int64_t rows = std::min(config_.batch_size, n - first);
  at::Tensor batch = batch_rows_.narrow(0, 0, rows);
  const at::Tensor ids =
      orders_.defined() ? orders_[epoch].narrow(0, first, rows) : at::tensor(sampler_.Next(rows), at::kLong);
  at::index_select_out(batch, decoders_, 0, ids);
  decoder_term_->Begin(batch);
  row_ = 0;
  phase_ = Phase::kNormalize;
}

void Factorizer::NormalizeBlock() {
  NormalizeRows(RowsFrom(parameter_, row_), RowsFrom(factors_, row_), RowsFrom(norms_, row_));
  row_ += kFactorTile;
  if (row_ >= config_.factors) phase_ = Phase::kDecoders;
}

void Factorizer::AfterDecoders() {
  phase_ = factor_pairs_ ? Phase::kFactors : Phase::kUpdate;
  if (factor_pairs_) factor_pairs_->Begin();
}

absl::Status Factorizer::FinishLosses() {
  FactorizerLoss record{.step = step_ + 1,
                        .epoch = step_ / steps_per_epoch_ + 1,
                        .lr = FactorLearningRate(config_, steps_, step_),
                        .decoder_loss = decoder_term_->loss(),
                        .factor_loss = factor_pairs_ ? factor_pairs_->loss() : 0};
  record.loss = record.decoder_loss + factor_param_ * record.factor_loss;
  if (!std::isfinite(record.loss)) {
    return FailedPrecondition(reason::kTrainingDiverged, "the loss at step ", record.step, " is ", record.loss,
                              "; a lower lr than ", LrOf(config_), " may help");
  }
  history_.push_back(record);
  row_ = 0;
  phase_ = Phase::kUpdate;
  return absl::OkStatus();
}

absl::Status Factorizer::UpdateBlock() {
  const at::Tensor gradient = RowsFrom(gradient_, row_);
  ProjectGradient(gradient, RowsFrom(factors_, row_), RowsFrom(norms_, row_));
  AdamWUpdate(RowsFrom(parameter_, row_), RowsFrom(exp_avg_, row_), RowsFrom(exp_avg_sq_, row_), gradient,
              {.lr = FactorLearningRate(config_, steps_, step_),
               .weight_decay = config_.weight_decay,
               .eps = config_.adam_eps,
               .step = step_ + 1});
  row_ += kFactorTile;
  if (row_ < config_.factors) return absl::OkStatus();
  ++step_;
  phase_ = Phase::kStart;
  return step_ < steps_ ? absl::OkStatus() : CheckFinite();
}

absl::Status Factorizer::CheckFinite() const {
  return CatchTorch([&] {
    if (AllFinite(parameter_)) return absl::OkStatus();
    return FailedPrecondition(reason::kTrainingDiverged, "factors hold values that are NaN or infinite after step ",
                              step_, "; a lower lr than ", LrOf(config_), " may help");
  });
}

const at::Tensor& Factorizer::UnitFactors() {
  NormalizeRows(parameter_, factors_, norms_);
  return factors_;
}

std::vector<FactorizerLoss> Factorizer::HistorySince(int64_t step) const {
  const auto first = std::partition_point(history_.begin(), history_.end(),
                                          [&](const FactorizerLoss& loss) { return loss.step <= step; });
  return {first, history_.end()};
}

void Factorizer::ForgetHistoryUpTo(int64_t step) {
  std::erase_if(history_, [&](const FactorizerLoss& loss) { return loss.step <= step; });
}

}  // namespace superpose
