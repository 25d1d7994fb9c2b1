#pragma once

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "tests/bench/service_rig.h"

namespace superpose {

// So many clients, each on a connection and a thread of its own, which sends its next request when it has the answer to
// the last.
class ClosedLoop {
 public:
  ClosedLoop(const ServiceRig& rig, int clients);

  // Together they check an answer to every request, while others ask too.
  void CheckAnswers() const;
  // Answers a second over `window`, which begins when every client has had one.
  double RequestsPerSecond(absl::Duration window) const;

 private:
  // When the answer came.
  absl::Time Ask(size_t client, size_t turn) const;

  const ServiceRig& rig_;
  std::vector<Client> clients_;
};

}  // namespace superpose
