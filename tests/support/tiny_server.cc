#include "tests/support/tiny_server.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

constexpr char kConfig[] = R"(listen_address: "$0" data_dir: "data" threads: 1
model { name: "tiny" path: "$1/model"
  transcoder { layer: $2 path: "$1/tiny_transcoder_dunefsky.pt"
               log_sparsity_path: "$1/tiny_transcoder_dunefsky_log_feature_sparsity.pt" } }
corpus { name: "rows" path: "rows.npy" model: "tiny" }
$3
)";

absl::Status Write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes << std::flush;
  return file.good() ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path.string()));
}

// [kTinyCorpusRows, kTinyRowLength] int32 token ids below 256 as .npy: no two rows alike, the same at every run.
std::string CorpusFile() {
  std::string header = absl::StrCat("{'descr': '<i4', 'fortran_order': False, 'shape': (", kTinyCorpusRows, ", ",
                                    kTinyRowLength, "), }");
  constexpr size_t kHeaderBytes = 128 - 10;
  header.resize(kHeaderBytes - 1, ' ');
  std::string file = absl::StrCat(absl::string_view("\x93NUMPY\x01\x00\x76\x00", 10), header, "\n");
  uint32_t state = 1;
  for (int i = 0; i < kTinyCorpusRows * kTinyRowLength; ++i) {
    state = state * 1664525 + 1013904223;
    file += {static_cast<char>(state >> 24), '\0', '\0', '\0'};
  }
  return file;
}

absl::StatusOr<std::filesystem::path> MakeFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "superpose_test_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return absl::InternalError("no temporary folder");
  return name;
}

}  // namespace

TinyServer::TinyServer(std::filesystem::path folder, std::string more_config)
    : folder_(std::move(folder)), config_(folder_ / "server.textproto"), more_config_(std::move(more_config)) {}

TinyServer::~TinyServer() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::StatusOr<std::unique_ptr<TinyServer>> TinyServer::Start(const std::string& more_config) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::filesystem::path folder, MakeFolder());
  std::unique_ptr<TinyServer> server(new TinyServer(std::move(folder), more_config));
  SUPERPOSE_RETURN_IF_ERROR(Write(server->folder_ / "rows.npy", CorpusFile()));
  SUPERPOSE_RETURN_IF_ERROR(server->WriteConfig("127.0.0.1:0"));
  SUPERPOSE_ASSIGN_OR_RETURN(server->process_, ServerProcess::Start(server->config_));
  server->address_ = server->process_->address();
  // A restart finds the same port.
  SUPERPOSE_RETURN_IF_ERROR(server->WriteConfig(server->address_));
  return server;
}

absl::Status TinyServer::WriteConfig(const std::string& listen_address) const {
  return Write(config_,
               absl::Substitute(kConfig, listen_address, SUPERPOSE_TEST_DATA "/golden", kTinyLayer, more_config_));
}

absl::StatusOr<Client> TinyServer::Connect(client::ClientOptions options) const {
  return Client::Connect(address_, std::move(options));
}

absl::Status TinyServer::StartAgain() {
  SUPERPOSE_ASSIGN_OR_RETURN(process_, ServerProcess::Start(config_));
  return absl::OkStatus();
}

}  // namespace superpose
