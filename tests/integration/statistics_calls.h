// Calls of the statistics service, and what they are asked with, on the tiny server.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cpp/errors.h"
#include "superpose/v1/statistics_service.grpc.pb.h"
#include "tests/client/tiny_specs.h"

namespace superpose {

using StatisticsStub = v1::StatisticsService::Stub;

template <typename Request, typename Response>
absl::StatusOr<Response> Call(const std::shared_ptr<grpc::Channel>& channel,
                              grpc::Status (StatisticsStub::*method)(grpc::ClientContext*, const Request&, Response*),
                              const Request& request) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(2));
  context.AddMetadata("x-superpose-user", "tester");
  Response response;
  StatisticsStub stub(channel);
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return client::FromGrpc(status);
  return response;
}

// Of `sequences` sequences from `first` on.
inline v1::CollectStatisticsRequest Collection(int64_t first = 0, int64_t sequences = kTinyCorpusRows) {
  v1::CollectStatisticsRequest request;
  v1::StatisticsSpec& spec = *request.mutable_spec();
  spec.add_transcoders(client::LayerName(kTinyLayer));
  spec.set_corpus("corpora/rows");
  spec.set_batch_size(8);
  spec.set_first_sequence(first);
  spec.set_tokens(sequences * kTinyRowLength);
  spec.mutable_options()->set_include_bos(true);
  return request;
}

}  // namespace superpose
