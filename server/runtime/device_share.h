#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace superpose {

// What the device spent on a request, over all of its parts. Whoever runs the request reads and writes it.
struct DeviceShare {
  absl::Duration queued = absl::ZeroDuration();    // the parts waited for their turns
  absl::Duration computed = absl::ZeroDuration();  // parts that have ended
  absl::Time began = absl::InfiniteFuture();       // the part under way, with the batch that it ran in
  int64_t batch_requests = 0;  // requests that the last part ran with, itself counted; 0: it is none to join
  int64_t batch_tokens = 0;    // of them

  // The part under way ends now.
  void EndPart(absl::Time now) {
    if (now > began) computed += now - began;
    began = absl::InfiniteFuture();
  }
};

}  // namespace superpose
