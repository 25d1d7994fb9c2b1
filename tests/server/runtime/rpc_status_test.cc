#include "server/runtime/rpc_status.h"

#include <google/rpc/error_details.pb.h>

#include <fstream>
#include <regex>
#include <string>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "superpose/v1/errors.pb.h"

namespace superpose {
namespace {

TEST(RpcStatusTest, CarriesCodeMessageAndReason) {
  const google::rpc::Status status = ToRpcStatus(NotFound(reason::kFileNotFound, "no file ", "a.pt"));
  EXPECT_EQ(status.code(), 5);
  EXPECT_EQ(status.message(), "no file a.pt");
  google::rpc::ErrorInfo info;
  ASSERT_EQ(status.details_size(), 1);
  ASSERT_TRUE(status.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "FILE_NOT_FOUND");
  EXPECT_EQ(info.domain(), "superpose");
}

TEST(RpcStatusTest, AnErrorWithoutAReasonHasNoDetail) {
  EXPECT_EQ(ToRpcStatus(absl::CancelledError("gone")).details_size(), 0);
}

// The reasons are plain texts in the code, so that lib needs no protobuf: here they meet the contract.
TEST(RpcStatusTest, EveryReasonInTheCodeStandsInTheContract) {
  const std::regex constant("constexpr absl::string_view k\\w+ = \"([A-Z0-9_]+)\"");
  int found = 0;
  for (const char* header :
       {SUPERPOSE_SOURCE_DIR "/lib/base/error.h", SUPERPOSE_SOURCE_DIR "/server/runtime/reasons.h"}) {
    std::ifstream file(header);
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      if (!std::regex_search(line, match, constant)) continue;
      ++found;
      v1::ErrorReason value;
      EXPECT_TRUE(v1::ErrorReason_Parse("ERROR_REASON_" + match[1].str(), &value)) << match[1] << " in " << header;
    }
  }
  EXPECT_GT(found, 40);
}

}  // namespace
}  // namespace superpose
