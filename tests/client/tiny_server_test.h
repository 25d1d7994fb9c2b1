// A fixture: one tiny server for all tests of a suite, and a client of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/client/matchers.h"
#include "tests/client/tiny_specs.h"
#include "tests/support/tiny_server.h"

namespace superpose {

class TinyServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<TinyServer>> server = TinyServer::Start("max_unary_tokens: 64");
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    absl::StatusOr<Client> client = server_->Connect();
    ASSERT_OK(client);
    client_ = *std::move(client);
  }

  static TinyServer& server() { return *server_; }
  const Client& client() const { return *client_; }

 private:
  static inline std::unique_ptr<TinyServer> server_;
  std::optional<Client> client_;
};

}  // namespace superpose
