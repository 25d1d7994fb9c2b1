#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/runtime/batchable_work.h"
#include "server/runtime/memory_budget.h"
#include "server/services/activation_query.h"
#include "server/services/limits.h"
#include "superpose/v1/feature_service.pb.h"

namespace superpose {

// The computation of a GetActivations call, part by part; one of a single part also together with others.
class ActivationsWork final : public BatchableWork {
 public:
  ActivationsWork(ActivationQuery query, MemoryBudget* budget, const Limits& limits);

  // On the device's thread; true after the last part, when `response` is complete. MEMORY_EXCEEDED; REQUEST_TOO_LARGE
  // when the answer is.
  absl::StatusOr<bool> RunPart(v1::GetActivationsResponse* response);

  const BatchItem& batch_item() const override { return batch_item_; }
  absl::Status RunTogether(absl::Span<BatchableWork* const> works) override;

  int64_t tokens() const { return query_.tokens(); }

 private:
  absl::Status ComputePart();
  absl::Status Answer(v1::GetActivationsResponse* response) const;

  const ActivationQuery query_;
  MemoryBudget* const budget_;
  const Limits limits_;
  BatchItem batch_item_;
  MemoryReservation memory_;  // for all of it, from the first part on; after the last for the answer
  int64_t next_sequence_ = 0;
  std::vector<std::vector<SparseActivations>> layers_;  // of each the parts so far
};

}  // namespace superpose
