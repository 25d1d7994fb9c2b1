#include "server/telemetry/metrics_endpoint.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"

namespace superpose {
namespace {

constexpr std::chrono::milliseconds kBetweenKnocks(10);

// Begins a connection and drops it.
void Knock(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol);
    if (fd < 0) continue;
    const bool connected = connect(fd, one->ai_addr, one->ai_addrlen) == 0;
    close(fd);
    if (connected) break;
  }
  freeaddrinfo(found);
}

// "[::1]:9464" has the host "::1".
std::string HostOf(absl::string_view address) {
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  return std::string(host);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Listen(
    const std::string& address, const std::shared_ptr<prometheus::Collectable>& metrics) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address);
    exposer->RegisterCollectable(metrics);
    return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(address, std::move(exposer)));
  } catch (const std::exception& error) {
    return FailedPrecondition(reason::kConfigInvalid, "metrics_address ", address,
                              " cannot be listened on: ", error.what());
  }
}

MetricsEndpoint::MetricsEndpoint(const std::string& address, std::unique_ptr<prometheus::Exposer> exposer)
    : host_(HostOf(address)),
      port_(absl::StrCat(exposer->GetListeningPorts().front())),
      address_(absl::StrCat(address.substr(0, address.rfind(':') + 1), port_)),
      exposer_(std::move(exposer)) {}

// The thread that takes connections looks only every two seconds, or when one comes, whether it is to end.
MetricsEndpoint::~MetricsEndpoint() {
  const std::future<void> closed = std::async(std::launch::async, [this] { exposer_.reset(); });
  while (closed.wait_for(kBetweenKnocks) != std::future_status::ready) Knock(host_, port_);
}

}  // namespace superpose
