#include "server/runtime/rpc_status.h"

#include <google/rpc/error_details.pb.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/tokenizer/utf8.h"

namespace superpose {

std::string MessageToSend(absl::string_view bytes) {
  constexpr size_t kMostBytes = 1024;
  constexpr absl::string_view kCut = " ..";
  std::string message = ReplaceInvalidUtf8(bytes);
  if (message.size() <= kMostBytes) return message;
  size_t end = kMostBytes - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;  // within a character
  message.resize(end);
  return absl::StrCat(message, kCut);
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(MessageToSend(status.message()));
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
