// Config files that are damaged in every way that chance finds: each is read, or refused with its reason. The same
// damages at every run.
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "server/config/server_config.h"

namespace superpose {
namespace {

constexpr char kSound[] = R"(# A server
listen_address: "127.0.0.1:50051" metrics_address: "127.0.0.1:0" data_dir: "data" device: "cpu" threads: 2
model {
  name: "tiny" path: "models/tiny"
  transcoder { layer: 1 path: 'a.pt' log_sparsity_path: "b.pt" id: "one" input: "normalized_after_gain" }
}
model { name: "second" path: "/models/second" }
corpus { name: "rows" path: "rows.npy" path: "more.npy" model: "tiny" token_dtype: "uint16" }
slice_milliseconds: 50 max_unary_tokens: 4096 max_queued_requests: 10 max_running_jobs: 2 checkpoint_seconds: 60
allow_remote: false model_root: ["models", "/more"] memory_limit_bytes: 8589934592 self_test: SELF_TEST_POLICY_WARN
max_upload_bytes: 1073741824
)";

constexpr absl::string_view kPieces[] = {"-1",
                                         "0",
                                         "18446744073709551616",
                                         "1e999",
                                         "nan",
                                         "\"\"",
                                         "'\\xff'",
                                         "\"\\0\"",
                                         "{",
                                         "}",
                                         "<",
                                         ">",
                                         "[",
                                         "]",
                                         "name",
                                         ":",
                                         "model { ",
                                         "corpus:",
                                         "#",
                                         "\n",
                                         "\xff",
                                         "-inf",
                                         "true",
                                         "/",
                                         "..",
                                         "127.0.0.1:99999"};

class Damage {
 public:
  std::string Apply(std::string text) {
    for (size_t times = 1 + Below(4); times > 0; --times) ApplyOnce(&text);
    return text;
  }

 private:
  size_t Below(size_t limit) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;  // Knuth's generator; its high bits are good
    return limit == 0 ? 0 : (state_ >> 33) % limit;
  }
  void ApplyOnce(std::string* text) {
    const size_t at = Below(text->size() + 1), length = Below(40);
    const absl::string_view piece = kPieces[Below(std::size(kPieces))];
    switch (Below(5)) {
      case 0:
        text->erase(at, length);
        break;
      case 1:
        text->insert(at, piece.data(), piece.size());
        break;
      case 2:
        text->replace(at, length, piece.data(), piece.size());
        break;
      case 3:
        text->insert(Below(text->size() + 1), text->substr(at, length));
        break;
      default:
        if (at < text->size()) (*text)[at] = static_cast<char>(Below(256));
    }
  }

  uint64_t state_ = 1;
};

TEST(ServerConfigMutationsTest, DamagedConfigsAreReadOrRefusedWithTheirReason) {
  ASSERT_TRUE(ParseServerConfig(kSound, "/folder").ok()) << ParseServerConfig(kSound, "/folder").status();
  Damage damage;
  int read = 0, refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = damage.Apply(kSound);
    const auto config = ParseServerConfig(text, "/folder");
    ++(config.ok() ? read : refused);
    if (config.ok()) continue;
    ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << config.status() << "\n" << text;
    ASSERT_EQ(ReasonOf(config.status()), reason::kConfigInvalid) << config.status() << "\n" << text;
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 10'000);
}

TEST(ServerConfigMutationsTest, DeepNestingIsRefused) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "model { ";
  EXPECT_EQ(ReasonOf(ParseServerConfig(deep, "/folder").status()), reason::kConfigInvalid);
  EXPECT_EQ(ReasonOf(ParseServerConfig("listen_address: " + std::string(100'000, '['), "/folder").status()),
            reason::kConfigInvalid);
}

}  // namespace
}  // namespace superpose
