#include "server/services/midcoder_service.h"

#include "lib/base/status_macros.h"
#include "server/runtime/midcoder_specs.h"
#include "server/services/call.h"
#include "server/services/paging.h"

namespace superpose {
namespace {

// A job but for its spec, from what every submitting request says.
template <typename Request>
v1::Job NewJob(const Request& request, const UnaryCall& call) {
  v1::Job job;
  job.set_owner(call.user());
  job.set_priority(request.priority());
  job.set_request_id(request.request_id());
  return job;
}

}  // namespace

grpc::ServerUnaryReactor* MidcoderServiceImpl::TrainMidcoder(grpc::CallbackServerContext* context,
                                                             const v1::TrainMidcoderRequest* request,
                                                             v1::TrainMidcoderResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "TrainMidcoder", [=, this](const UnaryCall& call) -> absl::Status {
    v1::Job job = NewJob(*request, call);
    SUPERPOSE_ASSIGN_OR_RETURN(*job.mutable_train_midcoder(), ResolveTrainingSpec(*registry_, request->spec()));
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), jobs_->Submit(job));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::EvaluateMidcoder(grpc::CallbackServerContext* context,
                                                                const v1::EvaluateMidcoderRequest* request,
                                                                v1::EvaluateMidcoderResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "EvaluateMidcoder", [=, this](const UnaryCall& call) -> absl::Status {
    v1::Job job = NewJob(*request, call);
    SUPERPOSE_ASSIGN_OR_RETURN(const v1::Midcoder midcoder, midcoders_->Get(request->spec().midcoder()));
    SUPERPOSE_ASSIGN_OR_RETURN(*job.mutable_evaluate_midcoder(),
                               ResolveEvaluationSpec(*registry_, midcoder, request->spec()));
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_job(), jobs_->Submit(job));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::ListMidcoders(grpc::CallbackServerContext* context,
                                                             const v1::ListMidcodersRequest* request,
                                                             v1::ListMidcodersResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "ListMidcoders", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, ListPageSize(request->page_size()));
    SUPERPOSE_ASSIGN_OR_RETURN(MidcoderPage page, midcoders_->List(size, request->page_token()));
    response->mutable_midcoders()->Add(page.midcoders.begin(), page.midcoders.end());
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::GetMidcoder(grpc::CallbackServerContext* context,
                                                           const v1::GetMidcoderRequest* request,
                                                           v1::GetMidcoderResponse* response) {
  return RunOnWorker(context, metrics_, worker_, "GetMidcoder", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(*response->mutable_midcoder(), midcoders_->Get(request->name()));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::DeleteMidcoder(grpc::CallbackServerContext* context,
                                                              const v1::DeleteMidcoderRequest* request,
                                                              v1::DeleteMidcoderResponse*) {
  return RunOnWorker(context, metrics_, worker_, "DeleteMidcoder",
                     [=, this](const UnaryCall&) { return midcoders_->Delete(request->name()); });
}

grpc::ServerUnaryReactor* MidcoderServiceImpl::GetMidcoderHistory(grpc::CallbackServerContext* context,
                                                                  const v1::GetMidcoderHistoryRequest* request,
                                                                  v1::GetMidcoderHistoryResponse* response) {
  constexpr int64_t kMostRows = 10000;
  return RunOnWorker(context, metrics_, worker_, "GetMidcoderHistory", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t size, PageSize(request->page_size(), kMostRows, kMostRows));
    SUPERPOSE_ASSIGN_OR_RETURN(HistoryPage page, midcoders_->History(request->name(), size, request->page_token()));
    *response->mutable_history() = std::move(page.history);
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

}  // namespace superpose
