#include "lib/statistics/analysis/feature_selection.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

absl::Status CheckWidths(const Transcoder& transcoder, const SnapshotData* snapshot) {
  if (snapshot == nullptr || snapshot->shape().d_sae == transcoder.d_sae()) return absl::OkStatus();
  return FailedPrecondition(reason::kSnapshotMismatch, "the snapshot is of a transcoder with ", snapshot->shape().d_sae,
                            " features, and this one has ", transcoder.d_sae());
}

at::Tensor SnapshotFrequencies(const SnapshotData& snapshot) {
  const at::Tensor of_rows = (snapshot.ActCounts().to(at::kDouble) / static_cast<double>(snapshot.tokens())).log10();
  at::Tensor result = at::full({snapshot.shape().d_sae}, std::nan(""), at::kDouble);
  return result.index_copy_(0, snapshot.feature_ids(), of_rows);
}

absl::StatusOr<at::Tensor> Frequencies(const Transcoder& transcoder, const SnapshotData* snapshot, FrequencySource by) {
  SUPERPOSE_RETURN_IF_ERROR(CheckWidths(transcoder, snapshot));
  const bool has_training = transcoder.has_log_sparsity();
  if (by == FrequencySource::kTraining && !has_training) {
    return FailedPrecondition(reason::kFrequenciesMissing,
                              "the transcoder came without the feature frequencies of its ",
                              "training: set log_sparsity_path, or use those of a snapshot");
  }
  if (has_training && by != FrequencySource::kSnapshot) {
    return transcoder.tensor("log_sparsity").to(at::kCPU, at::kDouble);
  }
  if (snapshot == nullptr) {
    return FailedPrecondition(reason::kFrequenciesMissing, "frequencies of a snapshot were asked for",
                              has_training ? "" : ", the transcoder having none of its training",
                              ", where there is no snapshot");
  }
  return SnapshotFrequencies(*snapshot);
}

// bool [d_sae]
at::Tensor Covered(const Transcoder& transcoder, const SnapshotData* snapshot) {
  const bool all = snapshot == nullptr || snapshot->covers_all();
  at::Tensor covered = at::full({transcoder.d_sae()}, all, at::kBool);
  return all ? covered : covered.index_fill_(0, snapshot->feature_ids(), 1);
}

at::Tensor IdsWhere(const at::Tensor& mask) { return mask.nonzero().squeeze(1); }

absl::StatusOr<at::Tensor> SelectAll(const Transcoder& transcoder, const SnapshotData* snapshot) {
  at::Tensor ids = IdsWhere(Covered(transcoder, snapshot));
  if (ids.numel() > 0) return ids;
  return FailedPrecondition(reason::kEmptySelection, "the snapshot covers no features");
}

absl::StatusOr<at::Tensor> SelectIds(const std::vector<int64_t>& values, const Transcoder& transcoder) {
  if (values.empty()) return FailedPrecondition(reason::kEmptySelection, "no features are named");
  const int64_t count = static_cast<int64_t>(values.size()), most = std::max(transcoder.d_sae(), kMostRepeatedIds);
  if (count > most) {
    return InvalidArgument(reason::kConfigInvalid, count, " features are named, but of ", transcoder.d_sae(),
                           " there can be ", most, " in a list");
  }
  at::Tensor ids = at::tensor(values, at::kLong);
  SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(ids, transcoder.d_sae(), "features"));
  return ids;
}

absl::StatusOr<at::Tensor> SelectRange(const FeatureRange& range, const Transcoder& transcoder) {
  const int64_t d_sae = transcoder.d_sae();
  if (range.start < 0 || range.start > d_sae || range.stop < 0 || range.stop > d_sae) {
    return InvalidArgument(reason::kFeatureOutOfRange, "a range of features must lie in 0 .. ", d_sae, ", and ",
                           range.start, " .. ", range.stop, " does not");
  }
  if (range.start < range.stop) return at::arange(range.start, range.stop, at::kLong);
  return FailedPrecondition(reason::kEmptySelection, "the range from ", range.start, " to ", range.stop,
                            " holds no features: its stop must be above its start");
}

absl::Status CheckBand(const FrequencyBand& band) {
  const double low = band.low.value_or(-kInfinity), high = band.high.value_or(kInfinity);
  if (std::isnan(low) || std::isnan(high)) {
    return InvalidArgument(reason::kConfigInvalid, "the ends of a band of log10 frequencies must be numbers, not NaN");
  }
  if (!band.low.has_value() || !band.high.has_value() || low < high) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "the low end of a band must be below its high end, and ", low,
                         " is not below ", high);
}

// Which features are above the band's low end and which below its high end: bool [d_sae]. NaN is neither.
struct Sides {
  at::Tensor above_low;
  at::Tensor below_high;
};

Sides SidesOf(const FrequencyBand& band, const at::Tensor& frequencies) {
  const at::Tensor known = frequencies.isnan().logical_not();
  Sides sides = {known, known};
  if (band.low.has_value()) {
    const at::Tensor above = band.open ? frequencies.gt(*band.low) : frequencies.ge(*band.low);
    sides.above_low = above.logical_and(frequencies.gt(-kInfinity));
  }
  if (band.high.has_value()) sides.below_high = frequencies.lt(*band.high);
  return sides;
}

std::string BandText(const FrequencyBand& band) {
  return absl::StrCat(band.open || !band.low.has_value() ? "(" : "[", band.low.value_or(-kInfinity), ", ",
                      band.high.value_or(kInfinity), ")");
}

// What lies around a band that holds nothing.
absl::Status EmptyBand(const FrequencyBand& band, const at::Tensor& frequencies, const Sides& sides) {
  const int64_t below = sides.above_low.logical_not().sum().item<int64_t>();
  const int64_t above = sides.below_high.logical_not().sum().item<int64_t>();
  const at::Tensor active = frequencies.masked_select(frequencies.isfinite());
  std::string range = "none was ever active";
  if (active.numel() > 0) {
    range = absl::StrCat("those that were active reach from ", active.min().item<double>(), " to ",
                         active.max().item<double>());
  }
  return FailedPrecondition(reason::kEmptySelection, "no feature has a log10 frequency in ", BandText(band), ": of ",
                            frequencies.numel(), ", ", below, " lie below and ", above, " above; ", range);
}

absl::StatusOr<at::Tensor> SelectBand(const FrequencyBand& band, const Transcoder& transcoder,
                                      const SnapshotData* snapshot) {
  SUPERPOSE_RETURN_IF_ERROR(CheckBand(band));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor frequencies, Frequencies(transcoder, snapshot, band.by));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor candidates, SelectAll(transcoder, snapshot));
  const at::Tensor theirs = frequencies.index_select(0, candidates);
  const Sides sides = SidesOf(band, theirs);
  const at::Tensor inside = IdsWhere(sides.above_low.logical_and(sides.below_high));
  if (inside.numel() == 0) return EmptyBand(band, theirs, sides);
  return candidates.index_select(0, inside);
}

}  // namespace

absl::StatusOr<at::Tensor> Log10Frequencies(const Transcoder& transcoder, const SnapshotData* snapshot,
                                            FrequencySource by) {
  return CatchTorch([&] { return Frequencies(transcoder, snapshot, by); });
}

absl::StatusOr<at::Tensor> SelectFeatures(const FeatureSelection& selection, const Transcoder& transcoder,
                                          const SnapshotData* snapshot) {
  return CatchTorch([&]() -> absl::StatusOr<at::Tensor> {
    SUPERPOSE_RETURN_IF_ERROR(CheckWidths(transcoder, snapshot));
    if (const auto* ids = std::get_if<std::vector<int64_t>>(&selection)) return SelectIds(*ids, transcoder);
    if (const auto* range = std::get_if<FeatureRange>(&selection)) return SelectRange(*range, transcoder);
    if (const auto* band = std::get_if<FrequencyBand>(&selection)) return SelectBand(*band, transcoder, snapshot);
    return SelectAll(transcoder, snapshot);
  });
}

}  // namespace superpose
