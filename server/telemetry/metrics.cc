#include "server/telemetry/metrics.h"

#include <prometheus/text_serializer.h>

namespace superpose {
namespace {

const prometheus::Histogram::BucketBoundaries kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                          0.5,   1,      2.5,   5,    10,    30,   60};

const prometheus::Histogram::BucketBoundaries kDeviceSeconds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const prometheus::Histogram::BucketBoundaries kBatchRequests = {1, 2, 4, 8, 16, 32, 64, 128};
const prometheus::Histogram::BucketBoundaries kBatchTokens = {16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

prometheus::Histogram& OneHistogram(prometheus::Registry* registry, const char* name, const char* help,
                                    const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry).Add({}, buckets);
}

}  // namespace

Metrics::Metrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      requests_(prometheus::BuildCounter()
                    .Name("superpose_requests_total")
                    .Help("RPCs by method and code")
                    .Register(*registry_)),
      latencies_(prometheus::BuildHistogram()
                     .Name("superpose_request_seconds")
                     .Help("Time from the arrival of an RPC to its end, by method")
                     .Register(*registry_)),
      open_requests_(prometheus::BuildGauge()
                         .Name("superpose_open_requests")
                         .Help("RPCs that have begun and not ended")
                         .Register(*registry_)
                         .Add({})),
      tokens_(prometheus::BuildCounter()
                  .Name("superpose_tokens_total")
                  .Help("Tokens computed, by kind of work")
                  .Register(*registry_)),
      slices_(prometheus::BuildCounter()
                  .Name("superpose_device_slices_total")
                  .Help("Turns that jobs had on the device")
                  .Register(*registry_)
                  .Add({})),
      queue_depth_(prometheus::BuildGauge()
                       .Name("superpose_device_queue_depth")
                       .Help("Requests that wait for the device")
                       .Register(*registry_)
                       .Add({})),
      queue_seconds_(OneHistogram(registry_.get(), "superpose_device_queue_seconds",
                                  "Time that requests, or parts of large ones, waited for the device", kDeviceSeconds)),
      compute_seconds_(OneHistogram(registry_.get(), "superpose_device_compute_seconds",
                                    "Time that the device took for them", kDeviceSeconds)),
      batch_requests_(OneHistogram(registry_.get(), "superpose_batch_requests",
                                   "Requests that ran through the model together", kBatchRequests)),
      batch_tokens_(OneHistogram(registry_.get(), "superpose_batch_tokens",
                                 "Tokens that ran through the model together", kBatchTokens)),
      split_batches_(prometheus::BuildCounter()
                         .Name("superpose_split_batches_total")
                         .Help("Batches that ran again in smaller parts")
                         .Register(*registry_)
                         .Add({})),
      jobs_(prometheus::BuildGauge().Name("superpose_jobs").Help("Jobs by state").Register(*registry_)) {}

void Metrics::RecordRequest(absl::string_view method, absl::StatusCode code, absl::Duration duration) {
  requests_.Add({{"method", std::string(method)}, {"code", absl::StatusCodeToString(code)}}).Increment();
  latencies_.Add({{"method", std::string(method)}}, kSeconds).Observe(absl::ToDoubleSeconds(duration));
}

void Metrics::AddTokens(absl::string_view work, double tokens) {
  tokens_.Add({{"work", std::string(work)}}).Increment(tokens);
}

void Metrics::ObserveRun(absl::Duration queued, absl::Duration computed) {
  queue_seconds_.Observe(absl::ToDoubleSeconds(queued));
  compute_seconds_.Observe(absl::ToDoubleSeconds(computed));
}

void Metrics::ObserveBatch(int64_t requests, int64_t tokens) {
  batch_requests_.Observe(static_cast<double>(requests));
  batch_tokens_.Observe(static_cast<double>(tokens));
}

void Metrics::SetQueueDepth(double depth) { queue_depth_.Set(depth); }

void Metrics::SetJobs(absl::string_view state, double count) { jobs_.Add({{"state", std::string(state)}}).Set(count); }

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Metrics::Expose(const std::string& address) const {
  return MetricsEndpoint::Listen(address, registry_);
}

}  // namespace superpose
