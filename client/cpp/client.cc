#include "client/cpp/client.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "client/cpp/connection.h"

namespace superpose::client {
namespace {

bool CanTravelAsMetadata(const std::string& user) {
  return std::all_of(user.begin(), user.end(),
                     [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); });
}

}  // namespace

absl::StatusOr<Client> Client::Connect(const std::string& address, ClientOptions options) {
  if (!CanTravelAsMetadata(options.user)) {
    return MakeError(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID", "the user's name must be printable ASCII");
  }
  auto connection = std::make_shared<Connection>(address, std::move(options));
  auto info =
      connection->Call(connection->server.get(), &v1::ServerService::Stub::GetServerInfo, v1::GetServerInfoRequest());
  if (!info.ok()) return info.status();
  connection->info = *std::move(info);
  return Client(std::move(connection));
}

const v1::GetServerInfoResponse& Client::info() const { return connection_->info; }

absl::StatusOr<v1::GetServerInfoResponse> Client::GetServerInfo() const {
  return connection_->Call(connection_->server.get(), &v1::ServerService::Stub::GetServerInfo,
                           v1::GetServerInfoRequest());
}

}  // namespace superpose::client
