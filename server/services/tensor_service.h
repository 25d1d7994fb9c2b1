#pragma once

#include "server/runtime/worker.h"
#include "server/services/tensor_source.h"
#include "server/telemetry/metrics.h"
#include "superpose/v1/tensor_service.grpc.pb.h"

namespace superpose {

// Streams tensors of any resource. Runs on `worker`.
class TensorServiceImpl final : public v1::TensorService::CallbackService {
 public:
  TensorServiceImpl(TensorSource source, Worker* worker, Metrics* metrics)
      : source_(source), worker_(worker), metrics_(metrics) {}

  grpc::ServerWriteReactor<v1::ReadTensorResponse>* ReadTensor(grpc::CallbackServerContext* context,
                                                               const v1::ReadTensorRequest* request) override;

 private:
  const TensorSource source_;
  Worker* const worker_;
  Metrics* const metrics_;
};

}  // namespace superpose
