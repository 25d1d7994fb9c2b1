// superposed: the server as a program.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/kernels/compute_thread.h"
#include "server/config/server_config.h"
#include "server/runtime/model_registry.h"
#include "server/server.h"
#include "server/stop_signals.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// How long running jobs have to reach a step boundary; with the calls that end after them, under the 30 seconds that
// container runtimes give.
constexpr absl::Duration kTimeToStop = absl::Seconds(20);

absl::Status Check(const v1::ServerConfig& config) {
  SUPERPOSE_ASSIGN_OR_RETURN(const auto registry, ModelRegistry::Load(config));
  absl::PrintF("The config is valid. Models: %d, corpora: %d.\n", registry->models().size(),
               registry->corpora().size());
  return absl::OkStatus();
}

absl::Status Serve(const v1::ServerConfig& config) {
  std::signal(SIGPIPE, SIG_IGN);
  StopSignals stop_signals;
  Log(LogLevel::kInfo, "loading", {{"data_dir", config.data_dir()}});
  SUPERPOSE_ASSIGN_OR_RETURN(const auto server, Server::Start(config));
  stop_signals.Defer();
  Log(LogLevel::kInfo, "listening", {{"address", server->address()}, {"metrics", server->metrics_address()}});
  const int signal = stop_signals.Wait();
  Log(LogLevel::kInfo, "stopping", {{"signal", strsignal(signal)}});
  const bool idle = server->Stop(absl::Now() + kTimeToStop);
  Log(LogLevel::kInfo, "stopped");
  if (!idle) std::_Exit(0);  // an eigenproblem was given up, which would go on for long
  return absl::OkStatus();
}

absl::Status Run(const std::string& config_path, bool only_check) {
  SUPERPOSE_ASSIGN_OR_RETURN(const v1::ServerConfig config, ReadServerConfig(config_path));
  return only_check ? Check(config) : Serve(config);
}

}  // namespace
}  // namespace superpose

// What throws here (CLI11, on a mistake in its use) ends the program, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  CLI::App app("Superpose's server: feature activations of transcoders and midcoder training jobs, over gRPC.",
               "superposed");
  std::string config_path;
  bool only_check = false;
  app.add_option("--config", config_path,
                 "Config file, Protobuf text format (schema: proto/superpose/v1/server_config.proto)")
      ->required();
  app.add_flag("--check", only_check, "Read the config, load the files that it names, and exit: 0 if all is well");
  CLI11_PARSE(app, argc, argv);
  superpose::ConfigureAllocator();
  const absl::Status status = superpose::Run(config_path, only_check);
  if (status.ok()) return 0;
  absl::FPrintF(stderr, "superposed: %s (%s, %s)\n", status.message(), absl::StatusCodeToString(status.code()),
                superpose::ReasonOf(status));
  return 1;
}
