#include <memory>
#include <string>
#include <vector>

#include "client/cpp/backoff.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/tensor_assembler.h"

namespace superpose::client {
namespace {

// Streams in a row that may break without a new byte.
constexpr int kMostFruitlessStreams = 5;

v1::ReadTensorRequest RequestFor(const std::string& resource, const std::string& tensor,
                                 const std::vector<Slice>& slices) {
  v1::ReadTensorRequest request;
  request.set_resource(resource);
  request.set_tensor(tensor);
  for (const Slice& slice : slices) *request.add_slices() = slice.ToProto();
  return request;
}

// Reads one stream, from where the assembler is, to its end. Returns how it ended.
absl::Status ReadStream(const Connection& connection, absl::Time deadline, v1::ReadTensorRequest request,
                        TensorAssembler* assembler) {
  request.set_start_offset(assembler->received());
  assembler->BeginStream();
  grpc::ClientContext context;
  connection.Prepare(deadline, &context);
  std::unique_ptr<grpc::ClientReader<v1::ReadTensorResponse>> reader =
      connection.tensors->ReadTensor(&context, request);
  v1::ReadTensorResponse response;
  absl::Status status;
  while (status.ok() && reader->Read(&response)) status = assembler->Add(response.chunk());
  if (!status.ok()) context.TryCancel();
  grpc::Status end = reader->Finish();
  return status.ok() ? connection.StatusOf(end) : status;
}

}  // namespace

absl::StatusOr<Tensor> Client::ReadTensor(const std::string& resource, const std::string& tensor,
                                          const std::vector<Slice>& slices) const {
  const v1::ReadTensorRequest request = RequestFor(resource, tensor, slices);
  const absl::Time deadline = connection_->StreamDeadline();
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(2));
  TensorAssembler assembler;
  int fruitless = 0;
  while (true) {
    int64_t before = assembler.received();
    absl::Status status = ReadStream(*connection_, deadline, request, &assembler);
    if (assembler.complete()) return assembler.Take();
    if (status.ok()) status = absl::DataLossError("the stream ended before the tensor did");
    if (!absl::IsUnavailable(status) && !absl::IsDataLoss(status)) return status;
    fruitless = assembler.received() > before ? 0 : fruitless + 1;
    if (fruitless == kMostFruitlessStreams) return status;
    Pause(backoff.Next(), {});
  }
}

}  // namespace superpose::client
