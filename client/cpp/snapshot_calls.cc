#include <string>
#include <utility>
#include <vector>

#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/submit_request.h"

namespace superpose::client {

using Stub = v1::StatisticsService::Stub;

absl::StatusOr<std::vector<v1::Snapshot>> Client::TakeSnapshot(const std::string& job,
                                                               const TakeSnapshotOptions& options) const {
  v1::TakeSnapshotRequest request;
  request.set_job(job);
  request.mutable_labels()->insert(options.labels.begin(), options.labels.end());
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection_->CallUntil(absl::Now() + options.deadline, connection_->statistics.get(),
                                            &Stub::TakeSnapshot, request));
  return std::vector<v1::Snapshot>(response.snapshots().begin(), response.snapshots().end());
}

absl::StatusOr<v1::Job> Client::MergeSnapshots(const v1::MergeSpec& spec, const SubmitOptions& options) const {
  const auto request = SubmitRequest<v1::MergeSnapshotsRequest>(spec, options);
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto response,
                                    connection_->Call(connection_->statistics.get(), &Stub::MergeSnapshots, request));
  return std::move(*response.mutable_job());
}

absl::StatusOr<v1::CompareSnapshotsResponse> Client::CompareSnapshots(const std::string& snapshot,
                                                                      const std::string& other) const {
  v1::CompareSnapshotsRequest request;
  request.set_snapshot(snapshot);
  request.set_other(other);
  return connection_->Call(connection_->statistics.get(), &Stub::CompareSnapshots, request);
}

absl::StatusOr<std::vector<v1::Snapshot>> Client::ListSnapshots(const ListSnapshotsOptions& options) const {
  v1::ListSnapshotsRequest first;
  first.set_midcoder(options.midcoder);
  first.set_job(options.job);
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
