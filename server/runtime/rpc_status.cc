#include "server/runtime/rpc_status.h"

#include <google/rpc/error_details.pb.h>

#include <string>

#include "lib/base/error.h"

namespace superpose {

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(std::string(status.message()));
  std::string reason = ReasonOf(status);
  if (!reason.empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(reason);
    info.set_domain("superpose");
    proto.add_details()->PackFrom(info);
  }
  return proto;
}

}  // namespace superpose
