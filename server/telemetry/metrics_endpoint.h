// The address at which Prometheus scrapes.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace superpose {

// Serves /metrics as long as it lives.
class MetricsEndpoint {
 public:
  // Listens at "host:port"; port 0 takes a free one. FAILED_PRECONDITION when the address cannot be had.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Listen(
      const std::string& address, const std::shared_ptr<prometheus::Collectable>& metrics);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  // "host:port" with the port that was taken.
  const std::string& address() const { return address_; }

 private:
  MetricsEndpoint(const std::string& address, std::unique_ptr<prometheus::Exposer> exposer);

  const std::string host_;
  const std::string port_;
  const std::string address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace superpose
