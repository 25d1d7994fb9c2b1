// What submits a job. Internal: client.h is the interface.
#pragma once

#include "client/cpp/client.h"
#include "client/cpp/request_id.h"

namespace superpose::client {

// The request of the spec, with a new request id where none was given.
template <typename Request, typename Spec>
Request SubmitRequest(const Spec& spec, const SubmitOptions& options) {
  Request request;
  *request.mutable_spec() = spec;
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  request.set_priority(options.priority);
  return request;
}

}  // namespace superpose::client
