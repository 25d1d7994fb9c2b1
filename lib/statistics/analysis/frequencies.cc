#include "lib/statistics/analysis/frequencies.h"

#include <ATen/ATen.h>

#include <utility>

#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/one_unit_analysis.h"
#include "lib/statistics/analysis/ranking.h"
#include "lib/statistics/analysis/snapshot_rows.h"

namespace superpose {
namespace {

AnalysisOutput Frequencies(const SnapshotData& snapshot, const at::Tensor& ids, const at::Tensor& rows,
                           const at::Tensor& log10_of_all) {
  const at::Tensor all_ranks = Ranks(log10_of_all);
  const auto [ranks, order] = all_ranks.index_select(0, ids).sort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  const at::Tensor features = ids.index_select(0, order);
  const at::Tensor log10 = log10_of_all.index_select(0, features);
  AnalysisOutput output;
  output.tensors.emplace_back("feature", features);
  if (rows.defined()) {
    const at::Tensor counts = snapshot.ActCounts().index_select(0, rows.index_select(0, order)).to(at::kLong);
    output.tensors.emplace_back("count", counts);
    output.tensors.emplace_back("frequency", counts.to(at::kDouble).div(static_cast<double>(snapshot.tokens())));
  } else {
    output.tensors.emplace_back("frequency", at::pow(10.0, log10));
  }
  output.tensors.emplace_back("log10_frequency", log10);
  output.tensors.emplace_back("rank", ranks);
  output.undefined = CountNaN(log10);
  return output;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeFrequencies(const AnalysisInputs& inputs, const FrequenciesQuery& query) {
  const SnapshotData& snapshot = *inputs.snapshot;
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor ids, SelectFeatures(query.features, *inputs.transcoder, &snapshot));
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor log10, Log10Frequencies(*inputs.transcoder, &snapshot, query.by));
  const bool by_snapshot = query.by == FrequencySource::kSnapshot ||
                           (query.by == FrequencySource::kDefault && !inputs.transcoder->has_log_sparsity());
  at::Tensor rows;
  if (by_snapshot) {
    SUPERPOSE_ASSIGN_OR_RETURN(rows, snapshot.RowsOf(ids));
  }
  const int64_t bytes = ids.numel() * kDoubleBytes * (by_snapshot ? 5 : 4);
  return std::make_unique<OneUnitAnalysis>(
      bytes, [&snapshot, ids, rows, log10] { return Frequencies(snapshot, ids, rows, log10); });
}

}  // namespace superpose
