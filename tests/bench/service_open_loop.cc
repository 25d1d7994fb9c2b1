#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/activations_codec.h"
#include "client/cpp/connection.h"
#include "lib/base/mutex.h"
#include "tests/bench/service_closed_loop.h"
#include "tests/bench/service_must.h"
#include "tests/bench/service_rows.h"

namespace superpose {
namespace {

constexpr int kConnections = 8;
constexpr int kClientsForCapacity = 16;

// Sends requests at given times without waiting for answers.
class OpenLoop {
 public:
  explicit OpenLoop(const ServiceRig& rig) {
    for (int i = 0; i < kConnections; ++i) {
      connections_.push_back(std::make_unique<client::Connection>(
          rig.address(), client::ClientOptions{.user = absl::StrCat("sender", i)}));
    }
    for (const client::ActivationsQuery& query : rig.requests())
      *requests_.emplace_back().mutable_query() = Require(client::ToProto(query));
  }

  // Milliseconds from when each request was to be sent to its answer.
  std::vector<double> Run(double requests_per_second, absl::Duration window) {
    std::deque<Call> calls;
    absl::Time when = absl::Now();
    const absl::Time end = when + window;
    std::exponential_distribution<double> gap(requests_per_second);
    while ((when += absl::Seconds(gap(random_))) < end) {
      absl::SleepFor(when - absl::Now());
      Send(when, &calls.emplace_back());
    }
    std::vector<double> milliseconds;
    for (const Call& call : calls) {
      call.answered.Wait();
      milliseconds.push_back(call.milliseconds);
    }
    return milliseconds;
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::GetActivationsResponse response;
    double milliseconds = 0;
    Notification answered;
  };

  void Send(absl::Time when, Call* call) {
    const client::Connection& connection = *connections_[sent_ % connections_.size()];
    const v1::GetActivationsRequest& request = requests_[sent_ % requests_.size()];
    ++sent_;
    connection.Prepare(absl::Now() + absl::Minutes(1), &call->context);
    connection.features->async()->GetActivations(
        &call->context, &request, &call->response, [when, call](const grpc::Status& status) {
          if (!status.ok()) Fail(absl::StrCat("a request of the open loop failed: ", status.error_message()));
          call->milliseconds = absl::ToDoubleMilliseconds(absl::Now() - when);
          call->answered.Notify();
        });
  }

  std::vector<std::unique_ptr<client::Connection>> connections_;
  std::vector<v1::GetActivationsRequest> requests_;
  // The same at every run. NOLINTNEXTLINE(bugprone-random-generator-seed)
  std::mt19937_64 random_{1};
  size_t sent_ = 0;
};

}  // namespace

ServiceRow OpenLoopLatency(const ServiceRig& rig) {
  const ClosedLoop clients(rig, kClientsForCapacity);
  clients.CheckAnswers();
  const double capacity = clients.RequestsPerSecond(rig.Window(absl::Seconds(4)));
  ServiceRow row = {{"row", "open_loop_latency"}, {"capacity_requests_per_second", capacity}};
  OpenLoop loop(rig);
  loop.Run(capacity / 10, absl::Milliseconds(500));
  for (const int percent : {25, 50, 75}) {
    const std::vector<double> times = loop.Run(capacity * percent / 100, rig.Window(absl::Seconds(10)));
    row[absl::StrCat("p50_ms_at_", percent)] = Percentile(times, 0.5);
    row[absl::StrCat("p99_ms_at_", percent)] = Percentile(times, 0.99);
    row[absl::StrCat("requests_at_", percent)] = times.size();
  }
  return row;
}

}  // namespace superpose
