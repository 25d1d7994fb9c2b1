#include "server/analysis/direction_reader.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/row_blocks.h"
#include "server/analysis/chosen_decoders.h"
#include "server/analysis/stored_factorization.h"
#include "server/runtime/descriptors.h"

namespace superpose {
namespace {

// int64: all of them, in their order.
at::Tensor Joined(const std::vector<at::Tensor>& places) {
  return places.empty() ? at::empty({0}, at::kLong) : at::cat(places);
}

// Of a block of decoders, predicted ones with all that they are made of: most that is there at once.
int64_t BytesOfBlock(int64_t entries) {
  constexpr int64_t kCopies = 8;
  return kCopies * std::min(entries, kDecoderUnitEntries) * kDoubleBytes;
}

class DecoderReader final : public DirectionReader {
 public:
  DecoderReader(ChosenDecoders chosen, std::unique_ptr<DecoderRows> decoders, Keep keep)
      : chosen_(std::move(chosen)),
        decoders_(std::move(decoders)),
        keep_(keep),
        shape_{.rows = chosen_.ids.numel(),
               .width = chosen_.loaded.model->model->config().d_model,
               .ids = chosen_.ids,
               .reading_bytes = BytesOfBlock(chosen_.ids.numel() * decoders_->entries_per_row())},
        blocks_(shape_.rows, decoders_->entries_per_row(), kDecoderUnitEntries) {
    facts_.layer = chosen_.loaded.transcoder->layer;
    if (chosen_.snapshot == nullptr) {
      facts_.provenance = DescribeProvenance(*chosen_.loaded.model, *chosen_.loaded.transcoder, /*corpus=*/nullptr);
    } else {
      facts_.provenance = chosen_.snapshot->facts().provenance();
      facts_.tokens = chosen_.snapshot->facts().tokens();
    }
  }

  const DirectionShape& shape() const override { return shape_; }
  const DirectionRows& facts() const override { return facts_; }
  int64_t units() const override { return blocks_.count(); }
  DirectionCount count() const override { return count_; }

  absl::Status RunUnit(int64_t unit) override {
    return CatchTorch([&]() -> absl::Status {
      const int64_t start = blocks_.start(unit), length = blocks_.length(unit);
      const at::Tensor rows = UnitRows(decoders_->Rows(Consecutive(start, length))).to(at::kCPU, at::kFloat);
      const at::Tensor defined = rows.isfinite().all(1);
      const at::Tensor kept = defined.nonzero().squeeze(1), bad = defined.logical_not().nonzero().squeeze(1);
      if (keep_ == Keep::kRows) KeepRows(kept.numel() == length ? rows : rows.index_select(0, kept), kept + start);
      if (bad.numel() > 0) bad_.push_back(bad + start);
      count_.defined += kept.numel();
      count_.undefined += bad.numel();
      return absl::OkStatus();
    });
  }

  absl::Status Check() const override {
    return CatchTorch([&]() -> absl::Status {
      if (count_.undefined == 0) return absl::OkStatus();
      if (chosen_.choice.kind == DecoderKind::kReal) return NoDirection();
      if (count_.defined > 0) return absl::OkStatus();
      return FailedPrecondition(reason::kEmptySelection, "of ", count_.undefined,
                                " predicted decoders none is defined: ", chosen_.snapshot->facts().name(),
                                " never saw one of these features active with a gate that was open");
    });
  }

  absl::StatusOr<DirectionRows> Take() override {
    SUPERPOSE_RETURN_IF_ERROR(Check());
    return CatchTorch([&]() -> absl::StatusOr<DirectionRows> {
      const at::Tensor kept = Joined(kept_);
      DirectionRows result = std::move(facts_);
      result.rows = std::exchange(rows_, {}).narrow(0, 0, count_.defined);
      result.ids = chosen_.ids.index_select(0, kept);
      result.ranks = chosen_.ranks.index_select(0, kept);
      result.undefined = count_.undefined;
      return result;
    });
  }

 private:
  void KeepRows(const at::Tensor& rows, at::Tensor places) {
    if (!rows_.defined()) rows_ = at::empty({shape_.rows, rows.size(1)}, at::kFloat);
    rows_.narrow(0, count_.defined, rows.size(0)).copy_(rows);
    kept_.push_back(std::move(places));
  }

  // What is wrong with the first of the real decoders that has no direction.
  absl::Status NoDirection() const {
    const at::Tensor first = bad_.front().narrow(0, 0, 1);
    const auto feature = chosen_.ids[first.item<int64_t>()].item<int64_t>();
    if (!decoders_->Rows(first).isfinite().all().item<bool>()) {
      return InvalidArgument(reason::kTensorNotFinite, "the decoder of feature ", feature, " of ",
                             chosen_.loaded.transcoder->name, " holds NaN or infinity (of ", shape_.rows, ", ",
                             count_.undefined, " have no direction)");
    }
    return InvalidArgument(reason::kConfigInvalid, "the decoder of feature ", feature, " of ",
                           chosen_.loaded.transcoder->name, " has length 0, and points nowhere (of ", shape_.rows, ", ",
                           count_.undefined, " have no direction): leave it out");
  }

  const ChosenDecoders chosen_;
  const std::unique_ptr<DecoderRows> decoders_;
  const Keep keep_;
  const DirectionShape shape_;
  const RowBlocks blocks_;
  DirectionRows facts_;
  at::Tensor rows_;               // float32 [n, d]: of those that are defined, as far as they were found
  std::vector<at::Tensor> kept_;  // places of theirs among the chosen
  std::vector<at::Tensor> bad_;   // places of the others
  DirectionCount count_;
};

class FactorReader final : public DirectionReader {
 public:
  FactorReader(FactorizationStore* factorizations, v1::Factorization facts)
      : factorizations_(factorizations),
        name_(facts.name()),
        shape_{.rows = facts.factors(), .width = facts.width(), .ids = {}, .reading_bytes = 0} {
    facts_.layer = facts.layer();
    facts_.provenance = std::move(*facts.mutable_provenance());
  }

  const DirectionShape& shape() const override { return shape_; }
  const DirectionRows& facts() const override { return facts_; }
  int64_t units() const override { return 1; }
  DirectionCount count() const override { return {.defined = shape_.rows, .undefined = 0}; }
  absl::Status Check() const override { return absl::OkStatus(); }

  absl::Status RunUnit(int64_t /*unit*/) override {
    return CatchTorch([&]() -> absl::Status {
      SUPERPOSE_ASSIGN_OR_RETURN(const auto stored, StoredFactorization::Open(factorizations_, name_));
      facts_.rows = stored->factors();
      facts_.ids = Consecutive(0, shape_.rows);
      return absl::OkStatus();
    });
  }
  absl::StatusOr<DirectionRows> Take() override { return std::move(facts_); }

 private:
  FactorizationStore* const factorizations_;
  const std::string name_;
  const DirectionShape shape_;
  DirectionRows facts_;
};

absl::Status CheckIsAlone(const v1::DirectionSource& source) {
  v1::DirectionSource rest = source;
  rest.clear_factorization();
  if (rest.ByteSizeLong() == 0) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "directions are the factors of ", source.factorization(),
                         ", and something else is set beside it: ", rest.ShortDebugString());
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectionReader>> DirectionReader::Open(const AnalysisSources& sources,
                                                                       v1::DirectionSource* source, Keep keep) {
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<DirectionReader>> {
    if (!source->factorization().empty()) {
      SUPERPOSE_RETURN_IF_ERROR(CheckIsAlone(*source));
      SUPERPOSE_ASSIGN_OR_RETURN(v1::Factorization facts, sources.factorizations->Get(source->factorization()));
      return std::make_unique<FactorReader>(sources.factorizations, std::move(facts));
    }
    SUPERPOSE_ASSIGN_OR_RETURN(ChosenDecoders chosen, ChooseDecoders(sources, source));
    SUPERPOSE_ASSIGN_OR_RETURN(std::unique_ptr<DecoderRows> decoders,
                               MakeDecoderRows(chosen.inputs(), chosen.choice, chosen.ids));
    return std::make_unique<DecoderReader>(std::move(chosen), std::move(decoders), keep);
  });
}

}  // namespace superpose
