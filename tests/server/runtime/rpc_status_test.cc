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

TEST(RpcStatusTest, ALongMessageIsCutBetweenCharacters) {
  EXPECT_EQ(MessageToSend(std::string(1024, 'a')), std::string(1024, 'a'));
  EXPECT_EQ(MessageToSend(std::string(1025, 'a')), std::string(1021, 'a') + " ..");
  std::string euros;
  for (int i = 0; i < 400; ++i) euros += "\xE2\x82\xAC";  // three bytes each: 1021 is within one
  EXPECT_EQ(MessageToSend(euros), euros.substr(0, 1020) + " ..");
  const google::rpc::Status status = ToRpcStatus(NotFound(reason::kFileNotFound, std::string(100'000, 'a')));
  EXPECT_EQ(status.message().size(), 1024u);
  EXPECT_LT(status.ByteSizeLong(), 1200u);
  EXPECT_EQ(status.details_size(), 1);
}

TEST(RpcStatusTest, BytesThatAreNoUtf8AreReplaced) {
  const google::rpc::Status status = ToRpcStatus(NotFound(reason::kFileNotFound, "no tensor a\xff\xe2\x82 b"));
  EXPECT_EQ(status.message(), "no tensor a\xEF\xBF\xBD\xEF\xBF\xBD b");
  google::rpc::Status received;
  EXPECT_TRUE(received.ParseFromString(status.SerializeAsString()));
  EXPECT_EQ(MessageToSend(std::string(2000, '\xff')).size(), 1023u) << "cut after it is replaced, between characters";
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
