// Checkpoints of FactorizationRun: what fits that are done have made, and the checkpoint of the fit under way.
#include <ATen/ATen.h>

#include <cassert>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/factorization_run.h"
#include "lib/midcoder/checkpoint_checks.h"

namespace superpose {
namespace {

constexpr char kFormat[] = "superpose-factorization-run-checkpoint-1";
// Before what the fit under way writes.
constexpr char kFit[] = "fit.";
constexpr int64_t kLossColumns = 5;

template <typename Map>
Map WithoutPrefix(const Map& map) {
  Map result;
  for (const auto& [name, value] : map) {
    if (absl::StartsWith(name, kFit)) result[name.substr(sizeof(kFit) - 1)] = value;
  }
  return result;
}

}  // namespace

StringMap FactorizationRun::Identity() const {
  StringMap identity = FactorizerIdentity(config_.factorizer);
  identity["directions"] = directions_hash_;
  identity["config.held_out_share"] = ExactText(config_.held_out_share);
  identity["config.stability_runs"] = absl::StrCat(config_.stability_runs);
  identity["config.duplicate_cosine"] = ExactText(config_.duplicate_cosine);
  if (!start_hash_.empty()) identity["config.start"] = start_hash_;
  return identity;
}

absl::Status FactorizationRun::CheckFinite() {
  return factorizer_ == nullptr ? absl::OkStatus() : factorizer_->CheckFinite();
}

// float64 [steps, 5]: epoch, lr, loss, decoder_loss, factor_loss.
at::Tensor FactorizationRun::HistoryTensor() const {
  at::Tensor rows = at::empty({static_cast<int64_t>(history_.size()), kLossColumns}, at::kDouble);
  auto* value = rows.mutable_data_ptr<double>();
  for (const FactorizerLoss& loss : history_) {
    for (const double one :
         {static_cast<double>(loss.epoch), loss.lr, loss.loss, loss.decoder_loss, loss.factor_loss}) {
      *value++ = one;
    }
  }
  return rows;
}

void FactorizationRun::AddStabilityTo(TensorMap* tensors) const {
  if (stability_.empty()) return;
  std::vector<at::Tensor> matches, cosines;
  for (const Stability& run : stability_) {
    matches.push_back(run.match.match);
    cosines.push_back(run.match.cosine);
  }
  (*tensors)["stability_match"] = at::stack(matches);
  (*tensors)["stability_cosine"] = at::stack(cosines);
}

TensorMap FactorizationRun::CheckpointTensors() const {
  assert(at_boundary());
  TensorMap tensors;
  AddStabilityTo(&tensors);
  if (!stability_.empty()) {
    at::Tensor similarities = at::empty({static_cast<int64_t>(stability_.size())}, at::kDouble);
    for (size_t r = 0; r < stability_.size(); ++r) {
      similarities.mutable_data_ptr<double>()[r] = stability_[r].similarity;
    }
    tensors["stability"] = similarities;
  }
  if (parameter_.defined()) tensors["parameter"] = parameter_;
  tensors["history"] = HistoryTensor();
  if (factorizer_ == nullptr) return tensors;
  for (const auto& [name, tensor] : factorizer_->CheckpointTensors()) tensors[absl::StrCat(kFit, name)] = tensor;
  return tensors;
}

StringMap FactorizationRun::CheckpointMetadata() const {
  StringMap metadata = Identity();
  metadata["format"] = kFormat;
  metadata["fits_done"] = absl::StrCat(fits_done_);
  if (factorizer_ == nullptr) return metadata;
  for (const auto& [key, value] : factorizer_->CheckpointMetadata()) metadata[absl::StrCat(kFit, key)] = value;
  return metadata;
}

absl::Status FactorizationRun::Restore(const TensorMap& tensors, const StringMap& metadata) {
  return CatchTorch([&] {
    SUPERPOSE_ASSIGN_OR_RETURN(Restored restored, Read(tensors, metadata));
    if (restored.parameter.defined()) parameter_ = std::move(restored.parameter);
    stability_ = std::move(restored.stability);
    history_ = std::move(restored.history);
    factorizer_ = std::move(restored.factorizer);
    fits_done_ = restored.fits_done;
    phase_ = fits_done_ < fits() ? Phase::kFit : Phase::kMeasure;
    matcher_.reset();
    meter_.reset();
    factors_ = at::Tensor();
    newest_loss_.reset();
    failure_ = absl::OkStatus();
    return absl::OkStatus();
  });
}

absl::StatusOr<FactorizationRun::Restored> FactorizationRun::Read(const TensorMap& tensors,
                                                                  const StringMap& metadata) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointFormat(metadata, kFormat));
  SUPERPOSE_RETURN_IF_ERROR(CheckSameInputs(Identity(), metadata));
  Restored restored;
  SUPERPOSE_ASSIGN_OR_RETURN(restored.fits_done, ReadCount(metadata, "fits_done"));
  const StringMap of_fit = WithoutPrefix(metadata);
  if (restored.fits_done > fits() || (restored.fits_done == fits() && !of_fit.empty())) {
    return InvalidArgument(reason::kFileCorrupt, "the checkpoint has done ", restored.fits_done, " of ", fits(),
                           " fits", of_fit.empty() ? "" : ", and has another under way");
  }
  SUPERPOSE_RETURN_IF_ERROR(ReadFinished(tensors, &restored));
  if (!of_fit.empty()) {
    SUPERPOSE_ASSIGN_OR_RETURN(restored.factorizer, MakeFactorizer(restored.fits_done));
    SUPERPOSE_RETURN_IF_ERROR(restored.factorizer->Restore(WithoutPrefix(tensors), of_fit));
  }
  SUPERPOSE_RETURN_IF_ERROR(ReadHistory(tensors, &restored));
  return restored;
}

absl::Status FactorizationRun::ReadFinished(const TensorMap& tensors, Restored* restored) const {
  if (restored->fits_done == 0) return absl::OkStatus();
  const int64_t m = config_.factorizer.factors, d = directions_.size(1), runs = restored->fits_done - 1;
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, "parameter", at::kFloat, {m, d}));
  restored->parameter = tensors.at("parameter").clone();
  if (runs == 0) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, "stability_match", at::kLong, {runs, m}));
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, "stability_cosine", at::kFloat, {runs, m}));
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, "stability", at::kDouble, {runs}));
  for (int64_t r = 0; r < runs; ++r) {
    restored->stability.push_back({.match = {.match = tensors.at("stability_match")[r].clone(),
                                             .cosine = tensors.at("stability_cosine")[r].clone()},
                                   .similarity = tensors.at("stability")[r].item<double>()});
  }
  return absl::OkStatus();
}

absl::Status FactorizationRun::ReadHistory(const TensorMap& tensors, Restored* restored) const {
  int64_t steps = fits() > 0 ? steps_per_fit_ : 0;
  if (restored->fits_done == 0 && fits() > 0) steps = restored->factorizer ? restored->factorizer->step() : 0;
  SUPERPOSE_RETURN_IF_ERROR(CheckCheckpointTensor(tensors, "history", at::kDouble, {steps, kLossColumns}));
  const at::Tensor rows = tensors.at("history").contiguous();
  const auto* value = rows.const_data_ptr<double>();
  restored->history.reserve(static_cast<size_t>(steps_per_fit_));
  for (int64_t step = 0; step < steps; ++step, value += kLossColumns) {
    restored->history.push_back({.step = step + 1,
                                 .epoch = static_cast<int64_t>(value[0]),
                                 .lr = value[1],
                                 .loss = value[2],
                                 .decoder_loss = value[3],
                                 .factor_loss = value[4]});
  }
  return absl::OkStatus();
}

}  // namespace superpose
