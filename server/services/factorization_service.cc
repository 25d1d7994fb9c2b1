#include "server/services/factorization_service.h"

#include <cstdint>
#include <string>
#include <utility>

#include "lib/base/status_macros.h"
#include "server/jobs/factorization_specs.h"
#include "server/jobs/job_memory.h"
#include "server/services/export_stream.h"
#include "server/services/new_job.h"
#include "server/services/paging.h"

namespace superpose {

absl::StatusOr<v1::Job> FactorizationServiceImpl::Resolve(v1::Job job) const {
  v1::FactorizationSpec& spec = *job.mutable_factorize_decoders();
  SUPERPOSE_ASSIGN_OR_RETURN(spec, ResolveFactorizationSpec(parts_.sources, std::move(spec)));
  SUPERPOSE_ASSIGN_OR_RETURN(const FactorizationJobEstimate estimate, EstimateFactorizationJob(parts_.sources, spec));
  const int64_t most = parts_.budget->MostEver(MemoryUse::kJob);
  const std::string advice =
      estimate.memory.peak_bytes <= most ? "" : FactorizationThatFits(parts_.sources, spec, most);
  SUPERPOSE_RETURN_IF_ERROR(
      parts_.budget->CheckCanEverFit(MemoryUse::kJob, estimate.memory.peak_bytes, "this factorization", advice));
  SUPERPOSE_RETURN_IF_ERROR(CheckFactorizationDirections(parts_.sources, spec));
  return job;
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::FactorizeDecoders(grpc::CallbackServerContext* context,
                                                                      const v1::FactorizeDecodersRequest* request,
                                                                      v1::FactorizeDecodersResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.desk->worker(), "FactorizeDecoders",
                     [=, this](const UnaryCall& call) -> absl::Status {
                       SUPERPOSE_RETURN_IF_ERROR(AnalysisDesk::CheckSize(request->spec()));
                       v1::Job as_sent = NewJob(*request, call);
                       *as_sent.mutable_factorize_decoders() = request->spec();
                       const auto resolve = [this](v1::Job job) { return Resolve(std::move(job)); };
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.jobs->Submit(as_sent, resolve));
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::EstimateFactorization(
    grpc::CallbackServerContext* context, const v1::EstimateFactorizationRequest* request,
    v1::EstimateFactorizationResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.desk->worker(), "EstimateFactorization",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_RETURN_IF_ERROR(AnalysisDesk::CheckSize(request->spec()));
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_spec(),
                                                  ResolveFactorizationSpec(parts_.sources, request->spec()));
                       SUPERPOSE_ASSIGN_OR_RETURN(const FactorizationJobEstimate estimate,
                                                  EstimateFactorizationJob(parts_.sources, response->spec()));
                       const int64_t available = parts_.budget->Available(MemoryUse::kJob);
                       v1::MemoryEstimate* answer = response->mutable_estimate();
                       answer->set_peak_bytes(estimate.memory.peak_bytes);
                       answer->set_checkpoint_bytes(estimate.memory.checkpoint_bytes);
                       answer->set_available_bytes(available);
                       if (estimate.memory.peak_bytes > available) {
                         answer->set_advice(FactorizationThatFits(parts_.sources, response->spec(), available));
                       }
                       response->set_decoders(estimate.decoders);
                       response->set_held_out_decoders(estimate.held_out_decoders);
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::AnalyzeDirections(grpc::CallbackServerContext* context,
                                                                      const v1::AnalyzeDirectionsRequest* request,
                                                                      v1::AnalyzeDirectionsResponse* response) {
  auto call = std::make_shared<UnaryCall>(context, parts_.metrics, "AnalyzeDirections");
  StartOnWorker(call, parts_.desk->worker(), [this, call, request, response] {
    return parts_.desk->Answer(AnalysisCall::kAnalyzeDirections, call, *request, response);
  });
  return call->reactor();
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::ListFactorizations(grpc::CallbackServerContext* context,
                                                                       const v1::ListFactorizationsRequest* request,
                                                                       v1::ListFactorizationsResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "ListFactorizations",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, ListPageSize(request->page_size()));
                       SUPERPOSE_ASSIGN_OR_RETURN(FactorizationPage page,
                                                  parts_.sources.factorizations->List(size, request->page_token()));
                       response->mutable_factorizations()->Add(page.items.begin(), page.items.end());
                       response->set_next_page_token(page.next_page_token);
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::GetFactorization(grpc::CallbackServerContext* context,
                                                                     const v1::GetFactorizationRequest* request,
                                                                     v1::GetFactorizationResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "GetFactorization",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_factorization(),
                                                  parts_.sources.factorizations->Get(request->name()));
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::DeleteFactorization(grpc::CallbackServerContext* context,
                                                                        const v1::DeleteFactorizationRequest* request,
                                                                        v1::DeleteFactorizationResponse*) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "DeleteFactorization",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_RETURN_IF_ERROR(CheckNoJobReads(request->name(), parts_.job_store));
                       return parts_.sources.factorizations->Delete(request->name());
                     });
}

grpc::ServerUnaryReactor* FactorizationServiceImpl::ImportFactorization(grpc::CallbackServerContext* context,
                                                                        const v1::ImportFactorizationRequest* request,
                                                                        v1::ImportFactorizationResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.loading_worker, "ImportFactorization",
                     [=, this](const UnaryCall& call) -> absl::Status {
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_factorization(),
                                                  parts_.importer->Import(*request, call.user()));
                       return absl::OkStatus();
                     });
}

grpc::ServerWriteReactor<v1::ExportFactorizationResponse>* FactorizationServiceImpl::ExportFactorization(
    grpc::CallbackServerContext* context, const v1::ExportFactorizationRequest* request) {
  auto* stream = new ExportStream<v1::ExportFactorizationResponse>(context, parts_.metrics, parts_.worker,
                                                                   "ExportFactorization", request->start_offset());
  StartStream(*parts_.metrics, parts_.loading_worker, stream,
              [this, request] { return parts_.exporter->Export(*request); });
  return stream;
}

}  // namespace superpose
