#include "lib/statistics/analysis/decoder_neighbors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/feature_selection.h"
#include "lib/statistics/analysis/frequency_order.h"
#include "lib/statistics/analysis/gathered_decoders.h"
#include "lib/statistics/analysis/ranking.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {
namespace {

// What is near: one of the features, or a direction of length 1, float64 [d_model] on the device.
struct Center {
  std::optional<int64_t> position = std::nullopt;  // among the features
  at::Tensor direction = {};
};

class DecoderNeighborsAnalysis final : public Analysis {
 public:
  // ranks: int64 [n] of the features.
  DecoderNeighborsAnalysis(at::Tensor features, at::Tensor ranks, Center center, std::unique_ptr<DecoderRows> decoders,
                           int64_t k, int64_t bins, int64_t unit_entries)
      : features_(std::move(features)),
        ranks_(std::move(ranks)),
        position_(center.position),
        own_(std::move(center.direction)),
        decoders_(std::move(decoders)),
        k_(std::min(k, features_.numel())),
        bins_(bins),
        unit_entries_(unit_entries),
        scan_(features_.numel(), decoders_->entries_per_row(), unit_entries),
        most_gatherings_(GatheredDecoders(k_, *decoders_, unit_entries).blocks()),
        products_(k_, k_, unit_entries),
        cosines_(at::empty({features_.numel()}, at::kDouble)) {}

  int64_t units() const override { return scan_.count() + most_gatherings_ + products_.count(); }

  void RunUnit(int64_t unit) override {
    if (unit < scan_.count()) return Scan(unit);
    unit -= scan_.count();
    if (unit == 0) Choose();
    if (unit < most_gatherings_) {
      if (unit < neighbors_->blocks()) neighbors_->Gather(*decoders_, chosen_, unit);
      return;
    }
    Multiply(unit - most_gatherings_);
  }

  AnalysisOutput Take() override {
    ValueRange range;
    range.Extend(cosines_);
    const Histogram histogram(range, bins_);
    at::Tensor counts = at::zeros({bins_}, at::kLong);
    histogram.Count(cosines_, counts);
    AnalysisOutput output;
    output.tensors = {{"feature", features_.index_select(0, chosen_)}, {"cosine", cosines_.index_select(0, chosen_)},
                      {"rank", ranks_.index_select(0, chosen_)},       {"block", std::move(block_)},
                      {"histogram_counts", std::move(counts)},         {"histogram_edges", histogram.Edges()}};
    output.undefined = range.undefined;
    return output;
  }

  int64_t result_bytes() const override {
    return k_ * static_cast<int64_t>(3 * sizeof(double)) + k_ * k_ * static_cast<int64_t>(sizeof(float)) +
           (2 * bins_ + 1) * static_cast<int64_t>(sizeof(double));
  }

 private:
  void Scan(int64_t block) {
    if (!own_.defined()) own_ = UnitRows(decoders_->Rows(Consecutive(*position_, 1))).squeeze(0);
    const int64_t start = scan_.start(block), length = scan_.length(block);
    const at::Tensor units = UnitRows(decoders_->Rows(Consecutive(start, length)));
    cosines_.narrow(0, start, length).copy_(at::mv(units, own_).clamp_(-1, 1));
  }

  void Choose() {
    at::Tensor closeness = cosines_.abs();
    if (position_.has_value()) closeness[*position_] = std::numeric_limits<double>::infinity();
    chosen_ = LargestIndices(closeness, k_);
    neighbors_ = std::make_unique<GatheredDecoders>(chosen_.numel(), *decoders_, unit_entries_);
    block_ = at::empty({chosen_.numel(), chosen_.numel()}, at::kFloat);
  }

  void Multiply(int64_t block) {
    const int64_t start = products_.start(block), end = std::min(start + products_.length(block), chosen_.numel());
    if (start >= end) return;
    const at::Tensor& units = neighbors_->units();
    block_.narrow(0, start, end - start).copy_(at::mm(units.narrow(0, start, end - start), units.t()).clamp_(-1, 1));
  }

  at::Tensor features_;
  at::Tensor ranks_;
  std::optional<int64_t> position_;
  at::Tensor own_;  // float64 [d_model] on the device
  std::unique_ptr<DecoderRows> decoders_;
  int64_t k_;
  int64_t bins_;
  int64_t unit_entries_;
  RowBlocks scan_;
  int64_t most_gatherings_;
  RowBlocks products_;
  at::Tensor cosines_;  // float64 [n]
  at::Tensor chosen_;   // int64: indices into features
  std::unique_ptr<GatheredDecoders> neighbors_;
  at::Tensor block_;
};

absl::Status CheckNumber(int64_t k, int64_t bins) {
  SUPERPOSE_RETURN_IF_ERROR(CheckBins(bins));
  if (k >= 1) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "k is ", k, ", but must be 1 or more");
}

absl::Status CheckFeature(const AnalysisInputs& inputs, const DecoderNeighborsQuery& query) {
  const at::Tensor feature = at::full({1}, query.feature, at::kLong);
  SUPERPOSE_RETURN_IF_ERROR(CheckFeatureIds(feature, inputs.transcoder->d_sae(), "feature"));
  if (query.decoders.kind == DecoderKind::kReal) return absl::OkStatus();
  return inputs.snapshot->RowsOf(feature).status();
}

// float64 [d_model], of length 1.
absl::StatusOr<at::Tensor> UnitDirection(const at::Tensor& direction, int64_t d_model) {
  if (!direction.defined() || direction.dim() != 1 || direction.numel() != d_model || !direction.is_floating_point()) {
    return InvalidArgument(reason::kTensorShapeMismatch, "the direction must be ", d_model, " floating-point numbers");
  }
  const at::Tensor values = direction.to(at::kDouble);
  if (!values.isfinite().all().item<bool>()) {
    return InvalidArgument(reason::kTensorNotFinite, "the direction holds NaN or infinity");
  }
  const at::Tensor scaled = values / values.abs().max();
  if (scaled.isfinite().all().item<bool>()) return scaled / scaled.norm();
  return InvalidArgument(reason::kConfigInvalid, "the direction has length 0, and points nowhere");
}

absl::StatusOr<at::Tensor> RanksOf(const AnalysisInputs& inputs, const at::Tensor& features) {
  const auto order = OrderByFrequency(*inputs.transcoder, inputs.snapshot, FrequencySource::kDefault);
  if (order.ok()) return order->ranks.index_select(0, features);
  if (ReasonOf(order.status()) != reason::kFrequenciesMissing) return order.status();
  return at::full_like(features, -1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeDecoderNeighbors(const AnalysisInputs& inputs,
                                                               const DecoderNeighborsQuery& query,
                                                               int64_t unit_entries) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_RETURN_IF_ERROR(CheckNumber(query.k, query.bins));
    SUPERPOSE_RETURN_IF_ERROR(CheckFeature(inputs, query));
    at::Tensor features = Consecutive(0, inputs.transcoder->d_sae());
    if (query.decoders.kind == DecoderKind::kPredicted) {
      SUPERPOSE_ASSIGN_OR_RETURN(features, SelectFeatures({}, *inputs.transcoder, inputs.snapshot));
    }
    SUPERPOSE_ASSIGN_OR_RETURN(auto decoders, MakeDecoderRows(inputs, query.decoders, features));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor ranks, RanksOf(inputs, features));
    const Center center{.position = features.eq(query.feature).nonzero()[0].item<int64_t>()};
    return std::make_unique<DecoderNeighborsAnalysis>(features, std::move(ranks), center, std::move(decoders), query.k,
                                                      query.bins, unit_entries);
  });
}

absl::StatusOr<std::unique_ptr<Analysis>> MakeNearestDecoders(const AnalysisInputs& inputs,
                                                              const NearestDecodersQuery& query, int64_t unit_entries) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_RETURN_IF_ERROR(CheckNumber(query.k, query.bins));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor direction, UnitDirection(query.direction, inputs.transcoder->d_model()));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor features,
                               SelectFeatures(query.features, *inputs.transcoder, inputs.snapshot));
    SUPERPOSE_ASSIGN_OR_RETURN(auto decoders, MakeDecoderRows(inputs, query.decoders, features));
    SUPERPOSE_ASSIGN_OR_RETURN(at::Tensor ranks, RanksOf(inputs, features));
    const Center center{.direction = direction.to(inputs.model->device())};
    return std::make_unique<DecoderNeighborsAnalysis>(features, std::move(ranks), center, std::move(decoders), query.k,
                                                      query.bins, unit_entries);
  });
}

}  // namespace superpose
