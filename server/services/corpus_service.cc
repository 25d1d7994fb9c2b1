#include "server/services/corpus_service.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/runtime/descriptors.h"
#include "server/runtime/reasons.h"
#include "server/services/call.h"
#include "server/services/names_resource.h"
#include "server/services/paging.h"

namespace superpose {

grpc::ServerUnaryReactor* CorpusServiceImpl::ListCorpora(grpc::CallbackServerContext* context,
                                                         const v1::ListCorporaRequest* request,
                                                         v1::ListCorporaResponse* response) {
  return RunOnWorker(
      context, parts_.metrics, parts_.worker, "ListCorpora", [=, this](const UnaryCall&) -> absl::Status {
        SUPERPOSE_ASSIGN_OR_RETURN(int64_t size, ListPageSize(request->page_size()));
        auto add = [&](const CorpusHandle& corpus) { *response->add_corpora() = DescribeCorpus(*corpus); };
        SUPERPOSE_ASSIGN_OR_RETURN(
            *response->mutable_next_page_token(),
            PageThrough(parts_.registry->corpora(), "corpora/", size, request->page_token(), add));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* CorpusServiceImpl::GetCorpus(grpc::CallbackServerContext* context,
                                                       const v1::GetCorpusRequest* request,
                                                       v1::GetCorpusResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "GetCorpus", [=, this](const UnaryCall&) -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(const CorpusHandle corpus, parts_.registry->FindCorpus(request->name()));
    *response->mutable_corpus() = DescribeCorpus(*corpus);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CorpusServiceImpl::CreateCorpus(grpc::CallbackServerContext* context,
                                                          const v1::CreateCorpusRequest* request,
                                                          v1::CreateCorpusResponse* response) {
  return RunOnWorker(context, parts_.metrics, parts_.reader, "CreateCorpus",
                     [=, this](const UnaryCall& call) -> absl::Status {
                       NewCorpus wanted;
                       wanted.id = request->corpus_id();
                       wanted.model = request->model();
                       wanted.uploads.assign(request->uploads().begin(), request->uploads().end());
                       wanted.format = request->format();
                       wanted.token_dtype = request->token_dtype();
                       wanted.owner = call.user();
                       wanted.is_cancelled = [&call] { return call.IsCancelled(); };
                       SUPERPOSE_ASSIGN_OR_RETURN(const CorpusHandle corpus, parts_.store->Create(wanted));
                       *response->mutable_corpus() = DescribeCorpus(*corpus);
                       return absl::OkStatus();
                     });
}

grpc::ServerUnaryReactor* CorpusServiceImpl::DeleteCorpus(grpc::CallbackServerContext* context,
                                                          const v1::DeleteCorpusRequest* request,
                                                          v1::DeleteCorpusResponse*) {
  return RunOnWorker(context, parts_.metrics, parts_.worker, "DeleteCorpus",
                     [=, this](const UnaryCall&) -> absl::Status {
                       SUPERPOSE_RETURN_IF_ERROR(CheckUnused(request->name()));
                       return parts_.store->Delete(request->name());
                     });
}

absl::Status CorpusServiceImpl::CheckUnused(const std::string& corpus) const {
  constexpr int64_t kPage = 1000;
  const JobFilter active{.states = {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING}, .owner = ""};
  std::string token;
  do {
    SUPERPOSE_ASSIGN_OR_RETURN(const JobPage page, parts_.jobs->List(active, kPage, token));
    for (const v1::Job& job : page.jobs) {
      if (!NamesResource(job, corpus)) continue;
      return FailedPrecondition(reason::kResourceInUse, job.name(), " of ", job.owner(), " reads ", corpus,
                                ": wait for its end, or cancel it");
    }
    token = page.next_page_token;
  } while (!token.empty());
  return absl::OkStatus();
}

}  // namespace superpose
