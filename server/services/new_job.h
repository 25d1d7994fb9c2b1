#pragma once

#include "server/services/call.h"
#include "superpose/v1/job.pb.h"

namespace superpose {

// A job but for its spec, from what every submitting request says.
template <typename Request>
v1::Job NewJob(const Request& request, const UnaryCall& call) {
  v1::Job job;
  job.set_owner(call.user());
  job.set_priority(request.priority());
  job.set_request_id(request.request_id());
  return job;
}

}  // namespace superpose
