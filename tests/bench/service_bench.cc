// The rows of the service: superpose_service_bench FOLDER THREADS SCALE ROW ..
// FOLDER is what make_inputs.py wrote, SCALE multiplies how long is measured (1: three minutes for all rows). Prints a
// JSON object a line for each row. tests/bench/service_rows.py runs it.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/kernels/compute_thread.h"
#include "tests/bench/service_byte_stream.h"
#include "tests/bench/service_must.h"
#include "tests/bench/service_rig.h"
#include "tests/bench/service_rows.h"

namespace superpose {
namespace {

void Print(const ServiceRow& row) {
  std::printf("%s\n", row.dump().c_str());
  std::fflush(stdout);
}

// How many clients a row of throughput has; 0 for another row.
int ClientsOf(const std::string& row) {
  for (const int count : {1, 4, 16, 64})
    if (row == absl::StrCat("throughput_", count, count == 1 ? "_client" : "_clients")) return count;
  return 0;
}

void RunRows(const ServiceRig& rig, const std::string& program, const std::vector<std::string>& rows) {
  const std::map<std::string, std::function<ServiceRow()>> single = {
      {"rpc_overhead", [&] { return RpcOverhead(rig, program); }},
      {"open_loop_latency", [&] { return OpenLoopLatency(rig); }},
      {"interactive_under_training", [&] { return InteractiveUnderTraining(rig); }},
      {"tensor_stream", [&] { return TensorStream(rig, program); }}};
  std::vector<int> counts;
  for (const std::string& row : rows) {
    if (const int clients = ClientsOf(row); clients > 0) counts.push_back(clients);
  }
  for (const std::string& row : rows) {
    if (ClientsOf(row) > 0) {
      // All of them at the first: they share one client's figure.
      if (counts.empty()) continue;
      for (const ServiceRow& found : Throughput(rig, std::exchange(counts, {}))) Print(found);
    } else if (const auto found = single.find(row); found != single.end()) {
      Print(found->second());
    } else {
      Fail(absl::StrCat("no row \"", row, "\""));
    }
  }
}

int Run(const std::vector<std::string>& words) {
  int64_t bytes = 0, messages = 0;
  if (words.size() == 4 && words[1] == "byte_stream" && absl::SimpleAtoi(words[2], &bytes) &&
      absl::SimpleAtoi(words[3], &messages)) {
    ServeByteStream(bytes, messages);
  }
  ServiceRig::Options options;
  if (words.size() < 5 || !absl::SimpleAtoi(words[2], &options.threads) ||
      !absl::SimpleAtod(words[3], &options.scale)) {
    std::fprintf(stderr, "usage: superpose_service_bench FOLDER THREADS SCALE ROW ..\n");
    return 2;
  }
  options.folder = words[1];
  ConfigureAllocator();
  const ServiceRig rig(options);
  RunRows(rig, "/proc/self/exe", {words.begin() + 4, words.end()});
  return 0;
}

}  // namespace
}  // namespace superpose

// What throws here ends the program, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) { return superpose::Run({argv, argv + argc}); }
