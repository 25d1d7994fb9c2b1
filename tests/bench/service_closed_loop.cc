#include "tests/bench/service_closed_loop.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/service_must.h"

namespace superpose {

ClosedLoop::ClosedLoop(const ServiceRig& rig, int clients) : rig_(rig) {
  for (int i = 0; i < clients; ++i) clients_.push_back(rig.Connect(absl::StrCat("client", i)));
}

void ClosedLoop::CheckAnswers() const {
  const size_t requests = rig_.requests().size(), each = (requests + clients_.size() - 1) / clients_.size();
  std::vector<std::jthread> threads;
  for (size_t index = 0; index < clients_.size(); ++index) {
    threads.emplace_back([this, index, requests, each] {
      for (size_t i = index * each; i < (index + 1) * each; ++i)
        rig_.Check(i % requests, Require(clients_[index].GetActivations(rig_.requests()[i % requests])));
    });
  }
}

absl::Time ClosedLoop::Ask(size_t client, size_t turn) const {
  Require(clients_[client].GetActivations(rig_.requests()[turn % rig_.requests().size()]).status());
  return absl::Now();
}

double ClosedLoop::RequestsPerSecond(absl::Duration window) const {
  std::vector<std::vector<absl::Time>> answers(clients_.size());
  std::latch under_way(static_cast<std::ptrdiff_t>(clients_.size()));
  std::atomic<bool> stop = false;
  absl::Time begin, end;
  {
    std::vector<std::jthread> threads;
    for (size_t index = 0; index < clients_.size(); ++index) {
      threads.emplace_back([&, index] {
        answers[index].push_back(Ask(index, /*turn=*/index));
        under_way.count_down();
        for (size_t turn = index + 1; !stop; ++turn) answers[index].push_back(Ask(index, turn));
      });
    }
    under_way.wait();
    begin = absl::Now();
    absl::SleepFor(window);
    end = absl::Now();
    stop = true;
  }
  int64_t count = 0;
  for (const std::vector<absl::Time>& of_client : answers) {
    count +=
        std::count_if(of_client.begin(), of_client.end(), [&](absl::Time time) { return time >= begin && time < end; });
  }
  return static_cast<double>(count) / absl::ToDoubleSeconds(end - begin);
}

}  // namespace superpose
