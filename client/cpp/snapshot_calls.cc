#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"

namespace superpose::client {

using Stub = v1::StatisticsService::Stub;

absl::StatusOr<std::vector<v1::Snapshot>> Client::ListSnapshots(const std::string& midcoder) const {
  v1::ListSnapshotsRequest first;
  first.set_midcoder(midcoder);
  return ListAll<v1::Snapshot>(
      first, 0,
      [this](const v1::ListSnapshotsRequest& request) {
        return connection_->Call(connection_->statistics.get(), &Stub::ListSnapshots, request);
      },
      [](v1::ListSnapshotsResponse* page) { return page->mutable_snapshots(); });
}

absl::StatusOr<v1::Snapshot> Client::GetSnapshot(const std::string& name) const {
  v1::GetSnapshotRequest request;
  request.set_name(name);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->statistics.get(), &Stub::GetSnapshot, request));
  return std::move(*response.mutable_snapshot());
}

absl::Status Client::DeleteSnapshot(const std::string& name) const {
  v1::DeleteSnapshotRequest request;
  request.set_name(name);
  return connection_->Call(connection_->statistics.get(), &Stub::DeleteSnapshot, request).status();
}

}  // namespace superpose::client
