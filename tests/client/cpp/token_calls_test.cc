// Text to tokens and back, on a model that has a tokenizer.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "tests/client/matchers.h"
#include "tests/support/tiny_server.h"

namespace superpose::client {
namespace {

class TokenCallsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server = TinyServer::Start("model { name: \"demo\" path: \"" SUPERPOSE_DEMO_DIR "/model\" }");
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_, nullptr); }

  static std::vector<int32_t> IdsOf(const Client& client, const std::string& text) {
    v1::TokenizeRequest request;
    request.set_model("models/demo");
    request.add_texts(text);
    request.set_prepend_bos(false);
    const auto response = client.Tokenize(request);
    EXPECT_OK(response);
    if (!response.ok() || response->texts_size() != 1) return {};
    const auto& ids = response->texts(0).token_ids();
    return {ids.begin(), ids.end()};
  }

  static inline std::unique_ptr<TinyServer> server_;
};

TEST_F(TokenCallsTest, TokensBecomeTheirTextAgain) {
  ASSERT_OK_AND_ASSIGN(const Client client, server_->Connect());
  const std::string text = "One cat sat.\nTwo dogs, 34 na\xC3\xAFve birds";
  const std::vector<int32_t> ids = IdsOf(client, text);
  ASSERT_GT(ids.size(), 1U);
  ASSERT_OK_AND_ASSIGN(const v1::DetokenizeResponse response, client.Detokenize(ids, "models/demo"));
  EXPECT_EQ(response.text(), text);
  EXPECT_EQ(response.tokens_size(), static_cast<int>(ids.size()));
}

TEST_F(TokenCallsTest, EachTokenHasItsOwnText) {
  ASSERT_OK_AND_ASSIGN(const Client client, server_->Connect());
  const std::string text = "One cat sat. Two dogs ran home.";
  const std::vector<int32_t> ids = IdsOf(client, text);
  ASSERT_OK_AND_ASSIGN(const v1::DetokenizeResponse response, client.Detokenize(ids, "models/demo"));
  EXPECT_EQ(absl::StrJoin(response.tokens(), ""), text) << "no character of it needs two tokens";
}

TEST_F(TokenCallsTest, ATokenThatThereIsNotIsRefused) {
  ASSERT_OK_AND_ASSIGN(const Client client, server_->Connect());
  for (const int32_t id : {-1, 1'000'000}) {
    EXPECT_THAT(client.Detokenize({id}, "models/demo"),
                FailsWith(absl::StatusCode::kInvalidArgument, "TOKEN_OUT_OF_RANGE"));
  }
}

}  // namespace
}  // namespace superpose::client
