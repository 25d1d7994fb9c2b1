#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/bench/service_byte_stream.h"
#include "tests/bench/service_must.h"
#include "tests/bench/service_rows.h"

namespace superpose {
namespace {

struct Times {
  std::vector<double> in_process;
  std::vector<double> rpc;
  std::vector<double> overhead;
  std::vector<double> get_model;
  std::vector<double> bare;
};

template <typename Body>
double MillisecondsOf(const Body& body) {
  const absl::Time start = absl::Now();
  body();
  return absl::ToDoubleMilliseconds(absl::Now() - start);
}

// Of a bare message there and back.
constexpr int64_t kBareBytes = 1000;

void MeasureOnce(const ServiceRig& rig, const Client& client, const ByteStream& bare, bool rpc_first, Times* times) {
  double in_process = 0, rpc = 0;
  const auto compute = [&] { in_process = MillisecondsOf([&] { rig.Compute(0); }); };
  if (!rpc_first) compute();
  rpc = MillisecondsOf([&] { Require(client.GetActivations(rig.requests()[0])); });
  if (rpc_first) compute();
  times->in_process.push_back(in_process);
  times->rpc.push_back(rpc);
  times->overhead.push_back(rpc - in_process);
  times->get_model.push_back(MillisecondsOf([&] { Require(client.GetModel()); }));
  times->bare.push_back(MillisecondsOf([&] { bare.Read(); }));
}

}  // namespace

ServiceRow RpcOverhead(const ServiceRig& rig, const std::string& program) {
  const Client client = rig.Connect("overhead");
  const ByteStream bare(program, kBareBytes, /*messages=*/1);
  Times warm_up, times;
  for (int i = 0; i < 5; ++i) MeasureOnce(rig, client, bare, i % 2 == 0, &warm_up);
  const int64_t repetitions = rig.Repetitions(400, 20);
  for (int64_t i = 0; i < repetitions; ++i) MeasureOnce(rig, client, bare, i % 2 == 0, &times);
  return {{"row", "rpc_overhead"},
          {"p50_ms", Percentile(times.rpc, 0.5)},
          {"p99_ms", Percentile(times.rpc, 0.99)},
          {"in_process_p50_ms", Percentile(times.in_process, 0.5)},
          {"in_process_p99_ms", Percentile(times.in_process, 0.99)},
          {"overhead_p50_ms", Percentile(times.overhead, 0.5)},
          {"get_model_p50_ms", Percentile(times.get_model, 0.5)},
          {"get_model_p99_ms", Percentile(times.get_model, 0.99)},
          {"bare_grpc_p50_ms", Percentile(times.bare, 0.5)},
          {"requests", repetitions}};
}

}  // namespace superpose
