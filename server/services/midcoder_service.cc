#include "server/services/midcoder_service.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/work_memory.h"
#include "server/services/call.h"
#include "server/services/export_stream.h"
#include "server/services/new_job.h"
#include "server/services/paging.h"

namespace superpose {
namespace {

// MEMORY_EXCEEDED where training would never fit, whatever else ended.
absl::Status CheckTrainingFits(const ModelRegistry& registry, const MemoryBudget& budget,
                               const v1::MidcoderTrainingSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const MemoryEstimate estimate, EstimateTraining(registry, spec));
  const int64_t room = budget.MostEver(MemoryUse::kJob);
  if (estimate.peak_bytes <= room) return absl::OkStatus();
  return budget.CheckCanEverFit(MemoryUse::kJob, estimate.peak_bytes, "this training",
                                TrainingThatFits(registry, spec, room));
}

absl::Status CheckEvaluationFits(const ModelRegistry& registry, const MemoryBudget& budget,
                                 const v1::Midcoder& midcoder, const v1::MidcoderEvaluationSpec& spec) {
  SUPERPOSE_ASSIGN_OR_RETURN(const MemoryEstimate estimate, EstimateEvaluation(registry, midcoder, spec));
  return budget.CheckCanEverFit(MemoryUse::kJob, estimate.peak_bytes, "this evaluation",
                                "ask for fewer tokens, or unload something");
}

}  // namespace

grpc::ServerUnaryReactor* MidcoderServiceImpl::TrainMidcoder(grpc::CallbackServerContext* context,
                                                             const v1::TrainMidcoderRequest* request,
                                                             v1::TrainMidcoderResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "TrainMidcoder", [=, this](const UnaryCall& call) -> absl::Status {
        v1::Job as_sent = NewJob(*request, call);
        *as_sent.mutable_train_midcoder() = request->spec();
        const auto resolve = [this](v1::Job job) -> absl::StatusOr<v1::Job> {
          SUPERPOSE_ASSIGN_OR_RETURN(*job.mutable_train_midcoder(),
                                     ResolveTrainingSpec(*parts_.registry, job.train_midcoder()));
          SUPERPOSE_RETURN_IF_ERROR(CheckTrainingFits(*parts_.registry, *parts_.budget, job.train_midcoder()));
          return job;
        };
        SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.jobs->Submit(as_sent, resolve));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::EvaluateMidcoder(grpc::CallbackServerContext* context,
                                                                const v1::EvaluateMidcoderRequest* request,
                                                                v1::EvaluateMidcoderResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "EvaluateMidcoder", [=, this](const UnaryCall& call) -> absl::Status {
        v1::Job as_sent = NewJob(*request, call);
        *as_sent.mutable_evaluate_midcoder() = request->spec();
        const auto resolve = [this](v1::Job job) -> absl::StatusOr<v1::Job> {
          v1::MidcoderEvaluationSpec& spec = *job.mutable_evaluate_midcoder();
          SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, parts_.midcoders->Get(spec.midcoder()));
          SUPERPOSE_ASSIGN_OR_RETURN(spec, ResolveEvaluationSpec(*parts_.registry, midcoder, spec));
          SUPERPOSE_RETURN_IF_ERROR(CheckEvaluationFits(*parts_.registry, *parts_.budget, midcoder, spec));
          return job;
        };
        SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), parts_.jobs->Submit(as_sent, resolve));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::EstimateMidcoderTraining(
    grpc::CallbackServerContext* context, const v1::EstimateMidcoderTrainingRequest* request,
    v1::EstimateMidcoderTrainingResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "EstimateMidcoderTraining", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(const v1::MidcoderTrainingSpec spec,
                                   ResolveTrainingSpec(*parts_.registry, request->spec()));
        SUPERPOSE_ASSIGN_OR_RETURN(const MemoryEstimate estimate, EstimateTraining(*parts_.registry, spec));
        const int64_t available = parts_.budget->Available(MemoryUse::kJob);
        v1::MemoryEstimate* answer = response->mutable_estimate();
        answer->set_peak_bytes(estimate.peak_bytes);
        answer->set_checkpoint_bytes(estimate.checkpoint_bytes);
        answer->set_available_bytes(available);
        if (estimate.peak_bytes > available) answer->set_advice(TrainingThatFits(*parts_.registry, spec, available));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::ListMidcoders(grpc::CallbackServerContext* context,
                                                             const v1::ListMidcodersRequest* request,
                                                             v1::ListMidcodersResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "ListMidcoders", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, ListPageSize(request->page_size()));
        SUPERPOSE_ASSIGN_OR_RETURN(MidcoderPage page, parts_.midcoders->List(size, request->page_token()));
        for (v1::Midcoder& midcoder : page.items) {
          SUPERPOSE_RETURN_IF_ERROR(AddSnapshots(&midcoder));
          *response->add_midcoders() = std::move(midcoder);
        }
        response->set_next_page_token(page.next_page_token);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::GetMidcoder(grpc::CallbackServerContext* context,
                                                           const v1::GetMidcoderRequest* request,
                                                           v1::GetMidcoderResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "GetMidcoder", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_midcoder(), parts_.midcoders->Get(request->name()));
        return AddSnapshots(response->mutable_midcoder());
      });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::DeleteMidcoder(grpc::CallbackServerContext* context,
                                                              const v1::DeleteMidcoderRequest* request,
                                                              v1::DeleteMidcoderResponse*) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "DeleteMidcoder",
                     [=, this](const UnaryCall&) { return parts_.midcoders->Delete(request->name()); });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::GetMidcoderHistory(grpc::CallbackServerContext* context,
                                                                  const v1::GetMidcoderHistoryRequest* request,
                                                                  v1::GetMidcoderHistoryResponse* response) {
  constexpr int64_t kMostRows = 10000;
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "GetMidcoderHistory", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, PageSize(request->page_size(), kMostRows, kMostRows));
        SUPERPOSE_ASSIGN_OR_RETURN(HistoryPage page,
                                   parts_.midcoders->History(request->name(), size, request->page_token()));
        *response->mutable_history() = std::move(page.history);
        response->set_next_page_token(page.next_page_token);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::ImportMidcoder(grpc::CallbackServerContext* context,
                                                              const v1::ImportMidcoderRequest* request,
                                                              v1::ImportMidcoderResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.loading_worker, "ImportMidcoder",
                     [=, this](const UnaryCall& call) -> absl::Status {
                       SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_midcoder(),
                                                  parts_.importer->Import(*request, call.user()));
                       return AddSnapshots(response->mutable_midcoder());
                     });
}

grpc::ServerWriteReactor<v1::ExportMidcoderResponse>* MidcoderServiceImpl::ExportMidcoder(
    grpc::CallbackServerContext* context, const v1::ExportMidcoderRequest* request) {
  auto* stream = new ExportStream<v1::ExportMidcoderResponse>(context, parts_.metrics, parts_.worker, "ExportMidcoder",
                                                              request->start_offset());
  StartStream(*parts_.metrics, parts_.loading_worker, stream,
              [this, request] { return parts_.exporter->Export(*request); });
  return stream;
}

absl::Status MidcoderServiceImpl::AddSnapshots(v1::Midcoder* midcoder) const {
  constexpr int64_t kMostNamed = 1000;
  SUPERPOSE_ASSIGN_OR_RETURN(const SnapshotPage page, parts_.snapshots->List(kMostNamed, "", midcoder->name()));
  for (const v1::Snapshot& snapshot : page.items) midcoder->add_snapshots(snapshot.name());
  return absl::OkStatus();
}

}  // namespace superpose
