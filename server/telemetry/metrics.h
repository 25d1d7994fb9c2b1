// What Prometheus scrapes at /metrics.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/telemetry/metrics_endpoint.h"

namespace superpose {

// Thread-safe. Label values come from closed sets only (methods, codes, states), never from users.
class Metrics {
 public:
  Metrics();

  // superpose_requests_total{method, code} and superpose_request_seconds{method}.
  void RecordRequest(absl::string_view method, absl::StatusCode code, absl::Duration duration);
  // superpose_open_requests: RPCs that have begun and not ended.
  void AddOpenRequests(int change) { open_requests_.Increment(change); }
  int64_t open_requests() const { return static_cast<int64_t>(open_requests_.Value()); }
  // superpose_tokens_total{work}: "activations", "prompt", "train_midcoder", "evaluate_midcoder".
  void AddTokens(absl::string_view work, double tokens);
  // superpose_device_slices_total: turns of jobs on the device.
  void AddSlice() { slices_.Increment(); }
  // superpose_device_queue_seconds and superpose_device_compute_seconds: of a request, or a part of a large one, the
  // wait for the device and the time on it.
  void ObserveRun(absl::Duration queued, absl::Duration computed);
  // superpose_batch_requests and superpose_batch_tokens: of requests that may run together, how many did, and how many
  // tokens they had.
  void ObserveBatch(int64_t requests, int64_t tokens);
  // superpose_split_batches_total: batches that ran again in smaller parts, because the memory was too little or one
  // request failed.
  void AddSplitBatch() { split_batches_.Increment(); }
  // superpose_device_queue_depth.
  void SetQueueDepth(double depth);
  // superpose_jobs{state}.
  void SetJobs(absl::string_view state, double count);
  // The text that a scrape would get.
  std::string Text() const;

  // Serves /metrics at host:port until the returned object goes. FAILED_PRECONDITION when the address cannot be had.
  absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Expose(const std::string& address) const;

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& latencies_;
  prometheus::Gauge& open_requests_;
  prometheus::Family<prometheus::Counter>& tokens_;
  prometheus::Counter& slices_;
  prometheus::Gauge& queue_depth_;
  prometheus::Histogram& queue_seconds_;
  prometheus::Histogram& compute_seconds_;
  prometheus::Histogram& batch_requests_;
  prometheus::Histogram& batch_tokens_;
  prometheus::Counter& split_batches_;
  prometheus::Family<prometheus::Gauge>& jobs_;
};

}  // namespace superpose
