// The channel to one server and how calls are made on it. Internal: client.h is the interface.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"
#include "superpose/v1/corpus_service.grpc.pb.h"
#include "superpose/v1/factorization_service.grpc.pb.h"
#include "superpose/v1/feature_service.grpc.pb.h"
#include "superpose/v1/job_service.grpc.pb.h"
#include "superpose/v1/midcoder_service.grpc.pb.h"
#include "superpose/v1/model_service.grpc.pb.h"
#include "superpose/v1/prompt_service.grpc.pb.h"
#include "superpose/v1/server_service.grpc.pb.h"
#include "superpose/v1/statistics_service.grpc.pb.h"
#include "superpose/v1/tensor_service.grpc.pb.h"
#include "superpose/v1/upload_service.grpc.pb.h"

namespace superpose::client {

// Immutable once made, and stubs are thread-safe: so is this.
struct Connection {
  Connection(std::string server_address, ClientOptions client_options);

  // Sets what every call carries.
  void Prepare(absl::Time deadline, grpc::ClientContext* context) const;
  // FromGrpc, with what to do in place of gRPC's words where the server is not there.
  absl::Status StatusOf(const grpc::Status& status) const;
  absl::Time StreamDeadline() const { return absl::Now() + options.stream_deadline; }

  template <typename Stub, typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  // Makes one unary call.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub* stub, Method<Stub, Request, Response> method, const Request& request) const {
    return CallUntil(absl::Now() + options.deadline, stub, method, request);
  }
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> CallUntil(absl::Time deadline, Stub* stub, Method<Stub, Request, Response> method,
                                     const Request& request) const {
    grpc::ClientContext context;
    Prepare(deadline, &context);
    Response response;
    grpc::Status status = (stub->*method)(&context, request, &response);
    if (!status.ok()) return StatusOf(status);
    return response;
  }

  std::string address;
  ClientOptions options;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ServerService::Stub> server;
  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::CorpusService::Stub> corpora;
  std::unique_ptr<v1::UploadService::Stub> uploads;
  std::unique_ptr<v1::PromptService::Stub> prompts;
  std::unique_ptr<v1::StatisticsService::Stub> statistics;
  std::unique_ptr<v1::FactorizationService::Stub> factorizations;
  std::unique_ptr<v1::FeatureService::Stub> features;
  std::unique_ptr<v1::MidcoderService::Stub> midcoders;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::TensorService::Stub> tensors;
  v1::GetServerInfoResponse info;
};

// Takes pages until there are no more or `limit` items (0: no limit); `call(request)` fetches one,
// `items_of(&response)` are its items.
template <typename Item, typename Request, typename FetchPage, typename ItemsOf>
absl::StatusOr<std::vector<Item>> ListAll(Request request, int64_t limit, const FetchPage& fetch_page,
                                          const ItemsOf& items_of) {
  std::vector<Item> all;
  request.set_page_size(1000);
  do {
    if (limit > 0)
      request.set_page_size(static_cast<int32_t>(std::min<int64_t>(1000, limit - static_cast<int64_t>(all.size()))));
    SUPERPOSE_CLIENT_ASSIGN_OR_RETURN(auto page, fetch_page(request));
    for (Item& item : *items_of(&page)) all.push_back(std::move(item));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (limit == 0 || static_cast<int64_t>(all.size()) < limit));
  return all;
}

}  // namespace superpose::client
