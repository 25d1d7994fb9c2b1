#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/memory_budget.h"
#include "server/services/activation_query.h"
#include "server/services/call.h"
#include "server/services/limits.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/feature_service.grpc.pb.h"

namespace superpose {

// Answers one StreamActivations call: computes a part, writes it, and computes the next when the reader has taken it.
// Deletes itself.
class ActivationStream final : public grpc::ServerWriteReactor<v1::StreamActivationsResponse> {
 public:
  ActivationStream(grpc::CallbackServerContext* context, Metrics* metrics, MemoryBudget* budget,
                   DeviceExecutor* executor, const Limits& limits);

  // Once.
  void Start(absl::StatusOr<ActivationQuery> query);

  void OnWriteDone(bool ok) override;
  void OnDone() override { delete this; }

 private:
  ~ActivationStream() override = default;
  void SubmitPart(bool continues);
  absl::StatusOr<v1::Activations> ComputeSequences(int64_t begin, int64_t end);
  void ComputePart();
  void End(const absl::Status& status);

  grpc::CallbackServerContext* const context_;
  Metrics* const metrics_;
  MemoryBudget* const budget_;
  DeviceExecutor* const executor_;
  const Limits limits_;
  const absl::Time deadline_;
  CallRecord record_;
  const std::shared_ptr<DeviceShare> share_ = std::make_shared<DeviceShare>();
  MemoryReservation tokens_;  // of the query: a stream may have any number, and is read at its reader's pace
  std::optional<ActivationQuery> query_;
  int64_t next_sequence_ = 0;
  MemoryReservation memory_;  // of the part under way: to compute it, then to send it
  v1::StreamActivationsResponse part_;
};

}  // namespace superpose
