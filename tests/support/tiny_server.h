// The real server on the tiny golden model, in a folder of its own that is removed at the end.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"
#include "tests/support/server_process.h"

namespace superpose {

// Model "tiny" (d_model 32, d_mlp 128, 3 layers, 64 positions, 256 token ids, no tokenizer) with a transcoder of 256
// features on layer kTinyLayer, and corpus "rows": kTinyCorpusRows sequences of kTinyRowLength token ids.
inline constexpr int kTinyLayer = 1;
inline constexpr int kTinyCorpusRows = 64;
inline constexpr int kTinyRowLength = 32;

class TinyServer {
 public:
  // `more_config` is put after what the config says anyway, in text format: "max_unary_tokens: 64".
  static absl::StatusOr<std::unique_ptr<TinyServer>> Start(const std::string& more_config = "");
  ~TinyServer();

  // The running server.
  ServerProcess& process() { return *process_; }
  // Stays the same over restarts.
  const std::string& address() const { return address_; }
  const std::filesystem::path& folder() const { return folder_; }
  const std::filesystem::path& config() const { return config_; }

  absl::StatusOr<Client> Connect(client::ClientOptions options = {.user = "tester"}) const;

  // Starts it again, after Kill() or Terminate(), on the same address with the same data.
  absl::Status StartAgain();

 private:
  TinyServer(std::filesystem::path folder, std::string more_config);
  absl::Status WriteConfig(const std::string& listen_address) const;

  const std::filesystem::path folder_;
  const std::filesystem::path config_;
  const std::string more_config_;
  std::string address_;
  std::unique_ptr<ServerProcess> process_;
};

}  // namespace superpose
