#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/service_closed_loop.h"
#include "tests/bench/service_must.h"
#include "tests/bench/service_rows.h"

namespace superpose {
namespace {

struct Rates {
  std::vector<double> requests;  // a second, one a round
  std::vector<double> ratios;    // to one client in the same round
};

}  // namespace

std::vector<ServiceRow> Throughput(const ServiceRig& rig, const std::vector<int>& counts) {
  const ClosedLoop alone(rig, 1);
  std::map<int, std::unique_ptr<ClosedLoop>> loops;
  for (const int count : counts) {
    loops[count] = std::make_unique<ClosedLoop>(rig, count);
    loops[count]->CheckAnswers();
  }
  std::map<int, Rates> rates;
  const absl::Duration window = rig.Window(absl::Seconds(2.5));
  for (int round = 0; round < 3; ++round) {
    const double one = alone.RequestsPerSecond(window);
    for (const auto& [count, loop] : loops) {
      const double requests = count == 1 ? one : loop->RequestsPerSecond(window);
      rates[count].requests.push_back(requests);
      rates[count].ratios.push_back(requests / one);
    }
  }
  std::vector<ServiceRow> rows;
  for (const auto& [count, of_count] : rates) {
    rows.push_back({{"row", absl::StrCat("throughput_", count, count == 1 ? "_client" : "_clients")},
                    {"requests_per_second", Percentile(of_count.requests, 0.5)},
                    {"ratio_to_1_client", Percentile(of_count.ratios, 0.5)},
                    {"smallest_ratio", Percentile(of_count.ratios, 0)},
                    {"largest_ratio", Percentile(of_count.ratios, 1)}});
  }
  return rows;
}

}  // namespace superpose
