// Calls on a server whose requests are written in Protobuf text format: what a client of ours would not send, too.
#pragma once

#include <google/protobuf/text_format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"

namespace superpose {

// How the call ended. INTERNAL when the text is no request.
using TextCall = std::function<absl::Status(const std::shared_ptr<grpc::Channel>& channel, const std::string& text)>;

template <typename Request>
absl::Status ReadRequest(const std::string& text, grpc::ClientContext* context, Request* request) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  if (google::protobuf::TextFormat::ParseFromString(text, request)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the test's request cannot be read: ", text));
}

template <typename Stub, typename Request, typename Response>
TextCall Unary(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*)) {
  return [method](const std::shared_ptr<grpc::Channel>& channel, const std::string& text) {
    grpc::ClientContext context;
    Request request;
    absl::Status read = ReadRequest(text, &context, &request);
    if (!read.ok()) return read;
    Response response;
    Stub stub(channel);
    return client::FromGrpc((stub.*method)(&context, request, &response));
  };
}

// Reads the stream to its end.
template <typename Stub, typename Request, typename Response>
TextCall Streamed(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*, const Request&)) {
  return [method](const std::shared_ptr<grpc::Channel>& channel, const std::string& text) {
    grpc::ClientContext context;
    Request request;
    absl::Status read = ReadRequest(text, &context, &request);
    if (!read.ok()) return read;
    Response response;
    Stub stub(channel);
    const auto reader = (stub.*method)(&context, request);
    while (reader->Read(&response)) continue;
    return client::FromGrpc(reader->Finish());
  };
}

}  // namespace superpose
