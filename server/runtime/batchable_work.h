#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/runtime/choose_batch.h"

namespace superpose {

// The work of a request that may be done together with that of others.
class BatchableWork {
 public:
  virtual ~BatchableWork() = default;
  // Stays the same while the request waits; on any thread.
  virtual const BatchItem& batch_item() const = 0;
  // On the device's thread: computes ahead, for all `works` at once (two or more of this one's key, this one the
  // first), what DeviceRequest::run of each would compute for it alone, and then finds done. After an error all are as
  // they were. RESOURCE_EXHAUSTED: fewer might succeed.
  virtual absl::Status RunTogether(absl::Span<BatchableWork* const> works) = 0;
};

}  // namespace superpose
