#include "lib/statistics/analysis/frequency_order.h"

#include <ATen/ATen.h>

#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/ranking.h"

namespace superpose {

absl::StatusOr<FrequencyOrder> OrderByFrequency(const Transcoder& transcoder, const SnapshotData* snapshot,
                                                FrequencySource by) {
  return CatchTorch([&]() -> absl::StatusOr<FrequencyOrder> {
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor frequencies, Log10Frequencies(transcoder, snapshot, by));
    FrequencyOrder order;
    order.features = LargestIndices(frequencies, frequencies.numel());
    order.ranks = at::full({frequencies.numel()}, -1, at::kLong);
    order.ranks.index_copy_(0, order.features, at::arange(order.features.numel(), at::kLong));
    return order;
  });
}

}  // namespace superpose
