// The rows of the service: what the way through gRPC, the queue and the device costs, alone and with others.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/service_rig.h"

namespace superpose {

// {"row": NAME, FIELD: .., ..}; times in milliseconds.
using ServiceRow = nlohmann::ordered_json;

// A small request beside the same computation in this process, beside a call that computes nothing, and beside a bare
// message there and back, one of each in turn. overhead_p50_ms is the median of the differences of neighbours.
// `program` is this program's own file, which serves the bare message from a process of its own.
ServiceRow RpcOverhead(const ServiceRig& rig, const std::string& program);

// Requests a second of so many clients, each of which sends its next request when it has the answer to the last; one
// row for each count, beside one client in turn.
std::vector<ServiceRow> Throughput(const ServiceRig& rig, const std::vector<int>& counts);

// Requests that come at random at 25%, 50% and 75% of the rate that 16 clients reach, whether or not others are
// answered; the latency counts from when a request was to be sent.
ServiceRow OpenLoopLatency(const ServiceRig& rig);

// One person's requests on the idle server and while a job trains; the job's speed with and without them.
ServiceRow InteractiveUnderTraining(const ServiceRig& rig);

// Reading the transcoder's decoder beside a bare stream of messages of the same size, one of each in turn.
ServiceRow TensorStream(const ServiceRig& rig, const std::string& program);

}  // namespace superpose
