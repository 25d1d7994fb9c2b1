#include <functional>
#include <memory>
#include <utility>

#include "client/cpp/activations_codec.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"

namespace superpose::client {
namespace {

// Whether the query is known to be too large for one call. The tokens of texts are counted by the server.
bool NeedsStream(const ActivationsQuery& query, int64_t max_unary_tokens) {
  int64_t tokens = 0;
  for (const std::vector<int32_t>& sequence : query.sequences) tokens += static_cast<int64_t>(sequence.size());
  return max_unary_tokens > 0 && tokens > max_unary_tokens;
}

absl::StatusOr<Activations> GetInOneCall(const Connection& connection, const v1::ActivationsQuery& query) {
  v1::GetActivationsRequest request;
  *request.mutable_query() = query;
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(
      auto response, connection.Call(connection.features.get(), &v1::FeatureService::Stub::GetActivations, request));
  return FromProto(response.activations());
}

absl::Status ReadParts(const Connection& connection, const v1::ActivationsQuery& query,
                       const std::function<absl::Status(Activations part)>& on_part) {
  v1::StreamActivationsRequest request;
  *request.mutable_query() = query;
  grpc::ClientContext context;
  connection.Prepare(connection.StreamDeadline(), &context);
  std::unique_ptr<grpc::ClientReader<v1::StreamActivationsResponse>> reader =
      connection.features->StreamActivations(&context, request);
  v1::StreamActivationsResponse response;
  absl::Status status;
  while (status.ok() && reader->Read(&response)) {
    absl::StatusOr<Activations> part = FromProto(response.activations());
    status = part.ok() ? on_part(*part) : part.status();
  }
  if (!status.ok()) context.TryCancel();
  grpc::Status end = reader->Finish();
  return status.ok() ? connection.StatusOf(end) : status;
}

absl::StatusOr<Activations> GetInParts(const Connection& connection, const v1::ActivationsQuery& query) {
  Activations all;
  SUPERPOSE_CLIENT_RETURN_IF_ERROR(ReadParts(connection, query, [&all](const Activations& part) {
    Append(part, &all);
    return absl::OkStatus();
  }));
  return all;
}

}  // namespace

absl::StatusOr<Activations> Client::GetActivations(const ActivationsQuery& query) const {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(v1::ActivationsQuery proto, ToProto(query));
  if (NeedsStream(query, connection_->info.max_unary_tokens())) return GetInParts(*connection_, proto);
  absl::StatusOr<Activations> result = GetInOneCall(*connection_, proto);
  if (ReasonOf(result.status()) == "REQUEST_TOO_LARGE") return GetInParts(*connection_, proto);
  return result;
}

absl::Status Client::StreamActivations(const ActivationsQuery& query,
                                       const std::function<absl::Status(Activations part)>& on_part) const {
  SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(v1::ActivationsQuery proto, ToProto(query));
  return ReadParts(*connection_, proto, on_part);
}

}  // namespace superpose::client
