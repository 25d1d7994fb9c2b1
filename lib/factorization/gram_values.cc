#include "lib/factorization/gram_values.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/factorization/thresholded_gram.h"

namespace superpose {
namespace {

GramTiles TilesOf(int64_t directions, int64_t d, const GramValuesQuery& query) {
  return {directions, 2 * d, query.tiling};
}

class GramValuesAnalysis final : public Analysis {
 public:
  GramValuesAnalysis(std::shared_ptr<const ThresholdedGram> gram, const GramValuesQuery& query)
      : gram_(std::move(gram)),
        tiles_(TilesOf(gram_->size(), gram_->units().size(1), query)),
        query_(query),
        neighbors_(at::zeros({gram_->size()}, at::kLong)),
        sums_(at::zeros({gram_->size()}, at::kDouble)) {}

  int64_t units() const override { return tiles_.units(); }

  void RunUnit(int64_t unit) override {
    if (query_.values && unit == 0) values_ = at::empty({gram_->size(), gram_->size()}, at::kFloat);
    for (int64_t i = tiles_.first(unit); i < tiles_.last(unit); ++i) AddTile(tiles_.tile(i));
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.figures["nonzeros"] = static_cast<double>(neighbors_.sum().item<int64_t>() + gram_->size());
    output.tensors = {{"neighbors", std::move(neighbors_)}, {"neighbor_sum", std::move(sums_)}};
    if (query_.values) output.tensors.emplace_back("values", std::move(values_));
    return output;
  }

  int64_t result_bytes() const override { return GramValuesBytes(gram_->size(), query_); }

 private:
  void AddTile(const GramTile& tile) {
    const at::Tensor entries = gram_->Tile(tile);
    Keep(entries, tile.row, tile.column);
    if (!tile.on_diagonal()) Keep(entries.t(), tile.column, tile.row);
    const at::Tensor others = tile.on_diagonal() ? entries.clone().fill_diagonal_(0) : entries;
    Count(others, tile.row);
    if (!tile.on_diagonal()) Count(others.t(), tile.column);
  }

  void Keep(const at::Tensor& entries, int64_t row, int64_t column) {
    if (!query_.values) return;
    values_.narrow(0, row, entries.size(0)).narrow(1, column, entries.size(1)).copy_(entries);
  }

  void Count(const at::Tensor& others, int64_t row) {
    neighbors_.narrow(0, row, others.size(0)).add_(at::count_nonzero(others, at::IntArrayRef{1}).cpu());
    sums_.narrow(0, row, others.size(0)).add_(others.sum(at::IntArrayRef{1}, /*keepdim=*/false, at::kDouble).cpu());
  }

  std::shared_ptr<const ThresholdedGram> gram_;
  GramTiles tiles_;
  GramValuesQuery query_;
  at::Tensor neighbors_;
  at::Tensor sums_;
  at::Tensor values_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeGramValues(const at::Tensor& directions, const GramValuesQuery& query) {
  const bool is_double = directions.defined() && directions.scalar_type() == at::kDouble;
  SUPERPOSE_ASSIGN_OR_RETURN(auto gram,
                             ThresholdedGram::Create(directions, query.theta, is_double ? at::kDouble : at::kFloat));
  SUPERPOSE_RETURN_IF_ERROR(CheckGramValuesQuery(query, gram->size()));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    return std::make_unique<GramValuesAnalysis>(std::move(gram), query);
  });
}

absl::Status CheckGramValuesQuery(const GramValuesQuery& query, int64_t directions) {
  SUPERPOSE_RETURN_IF_ERROR(CheckTheta(query.theta));
  if (!query.values || directions <= kMostGramValues) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "all cosines of ", directions, " directions are asked for, but ",
                         kMostGramValues, " are the most: ask for fewer directions, or without values");
}

int64_t GramValuesUnits(int64_t directions, int64_t d, const GramValuesQuery& query) {
  return TilesOf(directions, d, query).units();
}

int64_t GramValuesBytes(int64_t directions, const GramValuesQuery& query) {
  return directions * 2 * kDoubleBytes + (query.values ? directions * directions * kFloatBytes : 0);
}

}  // namespace superpose
