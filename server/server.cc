#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <torch/headeronly/version.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/kernels/compute_thread.h"
#include "server/jobs/durable_job_manager.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/jobs/sweep.h"
#include "server/runtime/free_memory.h"
#include "server/runtime/load_model.h"
#include "server/runtime/version.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

// Calls that are under way when the server stops have this long to end by themselves.
constexpr absl::Duration kTimeToDrain = absl::Seconds(5);

// gRPC waits for connections too, not only for calls, and a client without a call may look at its connection only once
// in five seconds. So it is told to wait long only if calls are open still after kTimeToSettle; else it has as long as
// it takes to send the last answers.
constexpr absl::Duration kTimeToSettle = absl::Seconds(1);
constexpr absl::Duration kTimeToSend = absl::Milliseconds(200);
constexpr absl::Duration kPollInterval = absl::Milliseconds(5);

// What one client, and what messages under way, may take of the server.
constexpr int kMostStreamsOfAConnection = 256;
constexpr size_t kMostMessageMemory = size_t{1} << 30;

// Room for what goes around the largest answer.
constexpr int kMessageMargin = 1 << 20;

void SetTimestamp(absl::Time time, google::protobuf::Timestamp* timestamp) {
  const int64_t nanoseconds = absl::ToUnixNanos(time);
  timestamp->set_seconds(nanoseconds / 1'000'000'000);
  timestamp->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

// A service and what clients and grpc.health.v1 call it.
struct NamedService {
  grpc::Service* service;
  const char* name;
};

template <typename Contract, typename Implementation>
NamedService Named(const std::unique_ptr<Implementation>& service) {
  return {service.get(), Contract::service_full_name()};
}

void SetUp(grpc::ServerBuilder* builder) {
  // Else a second server on the same port would take half of the connections.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Clients that watch a quiet job ask every minute whether the server is still there; gRPC's default takes that for
  // abuse.
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 20'000);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreamsOfAConnection);
  grpc::ResourceQuota quota("superpose");
  builder->SetResourceQuota(quota.Resize(kMostMessageMemory));
  builder->SetMaxReceiveMessageSize(static_cast<int>(Limits().max_message_bytes));
  builder->SetMaxSendMessageSize(static_cast<int>(Limits().max_message_bytes) + kMessageMargin);
}

BatchLimits LimitsOf(const v1::Batching& batching) {
  return {.max_requests = batching.max_requests(),
          .max_tokens = batching.max_tokens(),
          .max_delay = absl::Microseconds(batching.max_delay_microseconds())};
}

std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }

}  // namespace

Server::Server(const v1::ServerConfig& config) : config_(config) {}

Server::~Server() { Stop(absl::Now()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const v1::ServerConfig& config) {
  std::unique_ptr<Server> server(new Server(config));
  SUPERPOSE_RETURN_IF_ERROR(server->OpenStorage());
  SUPERPOSE_RETURN_IF_ERROR(server->LoadModels());
  SUPERPOSE_RETURN_IF_ERROR(server->LoadUploads());
  SUPERPOSE_RETURN_IF_ERROR(server->StartJobs());
  server->MakeServices();
  SUPERPOSE_RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::Status Server::OpenStorage() {
  SUPERPOSE_ASSIGN_OR_RETURN(data_folder_, DataFolder::Open(config_.data_dir()));
  SUPERPOSE_ASSIGN_OR_RETURN(database_, Database::Open(data_folder_->database_path()));
  job_store_ = std::make_unique<SqliteJobStore>(database_.get());
  midcoder_store_ = std::make_unique<MidcoderStore>(data_folder_.get(), database_.get());
  snapshot_store_ = std::make_unique<SnapshotStore>(data_folder_.get(), database_.get());
  factorization_store_ = std::make_unique<FactorizationStore>(data_folder_.get(), database_.get());
  return absl::OkStatus();
}

absl::Status Server::LoadModels() {
  const DeviceExecutor::Options options{.threads = config_.threads(),
                                        .slice = absl::Milliseconds(config_.slice_milliseconds()),
                                        .max_waiting_requests = config_.max_queued_requests(),
                                        .batch = LimitsOf(config_.batching())};
  SetMatmulPrecision(config_.matmul_precision() == v1::MATMUL_PRECISION_TF32 ? MatmulPrecision::kTf32
                                                                             : MatmulPrecision::kFloat32);
  executor_ = std::make_unique<DeviceExecutor>(options, &clock_, &metrics_);
  return executor_->RunAndWait([this]() -> absl::Status {
    SUPERPOSE_ASSIGN_OR_RETURN(device_, FindDevice(config_.device()));
    SUPERPOSE_RETURN_IF_ERROR(SetMemoryLimit());
    SUPERPOSE_ASSIGN_OR_RETURN(registry_, ModelRegistry::Load(config_, budget_.get()));
    return absl::OkStatus();
  });
}

absl::Status Server::LoadUploads() {
  SUPERPOSE_ASSIGN_OR_RETURN(upload_store_, UploadStore::Open(data_folder_.get(), config_.max_upload_bytes(), &clock_));
  SUPERPOSE_ASSIGN_OR_RETURN(corpus_store_, CorpusStore::Open(data_folder_.get(), upload_store_.get(), registry_.get(),
                                                              &clock_, budget_.get()));
  return absl::OkStatus();
}

absl::Status Server::SetMemoryLimit() {
  int64_t limit = config_.memory_limit_bytes();
  if (limit == 0) {
    SUPERPOSE_ASSIGN_OR_RETURN(const int64_t free, FreeMemory(device_));
    limit = free / 10 * 9;
  }
  budget_ = std::make_unique<MemoryBudget>(limit);
  Log(LogLevel::kInfo, "memory limit", {{"bytes", absl::StrCat(limit)}});
  return absl::OkStatus();
}

void Server::SetServing(const std::string& model, bool serving) {
  if (grpc_server_ != nullptr) grpc_server_->GetHealthCheckService()->SetServingStatus(model, serving);
}

absl::Status Server::StartJobs() {
  SUPERPOSE_RETURN_IF_ERROR(Sweep(*data_folder_, database_.get()));
  DurableJobManager::Options options;
  options.caps = {config_.max_running_jobs(), config_.max_running_jobs_per_user()};
  options.checkpoint_interval = absl::Seconds(config_.checkpoint_seconds());
  lane_ = std::make_unique<LongLane>(config_.threads());
  options.lane = lane_.get();
  SUPERPOSE_ASSIGN_OR_RETURN(jobs_, DurableJobManager::Create(options, {.store = job_store_.get(),
                                                                        .midcoders = midcoder_store_.get(),
                                                                        .snapshots = snapshot_store_.get(),
                                                                        .factorizations = factorization_store_.get(),
                                                                        .folder = data_folder_.get(),
                                                                        .registry = registry_.get(),
                                                                        .executor = executor_.get(),
                                                                        .clock = &clock_,
                                                                        .metrics = &metrics_,
                                                                        .budget = budget_.get()}));
  return absl::OkStatus();
}

void Server::MakeServices() {
  MakePromptServices();
  MakeMidcoderServices();
  MakeAnalysisServices();
  server_service_ = std::make_unique<ServerServiceImpl>(Info(), budget_.get(), &metrics_);
  model_loading_ = std::make_unique<ModelLoading>(
      ModelLoading::Parts{.registry = registry_.get(),
                          .jobs = job_store_.get(),
                          .midcoders = midcoder_store_.get(),
                          .snapshots = snapshot_store_.get(),
                          .storage_worker = &storage_worker_,
                          .loading_worker = &loading_worker_,
                          .on_change = [this](const std::string& model, bool serving) { SetServing(model, serving); }},
      LoadContext{.device = device_,
                  .budget = budget_.get(),
                  .self_test = config_.self_test(),
                  .int8_prefilter = config_.int8_prefilter(),
                  .registry = registry_.get()},
      LoadRoots({config_.model_root().begin(), config_.model_root().end()}));
  model_service_ =
      std::make_unique<ModelServiceImpl>(registry_.get(), model_loading_.get(), &request_worker_, &metrics_);
  corpus_service_ = std::make_unique<CorpusServiceImpl>(CorpusServiceImpl::Parts{.registry = registry_.get(),
                                                                                 .store = corpus_store_.get(),
                                                                                 .jobs = jobs_.get(),
                                                                                 .worker = &storage_worker_,
                                                                                 .reader = &corpus_worker_,
                                                                                 .metrics = &metrics_});
  upload_service_ = std::make_unique<UploadServiceImpl>(upload_store_.get(), &storage_worker_, &metrics_);
  job_service_ = std::make_unique<JobServiceImpl>(jobs_.get(), &storage_worker_, &metrics_);
  tensor_service_ = std::make_unique<TensorServiceImpl>(TensorSource({.registry = registry_.get(),
                                                                      .folder = data_folder_.get(),
                                                                      .jobs = job_store_.get(),
                                                                      .midcoders = midcoder_store_.get(),
                                                                      .snapshots = snapshot_store_.get(),
                                                                      .factorizations = factorization_store_.get(),
                                                                      .budget = budget_.get(),
                                                                      .executor = executor_.get()}),
                                                        &storage_worker_, &metrics_);
}

void Server::MakePromptServices() {
  const Limits limits{.max_unary_tokens = config_.max_unary_tokens()};
  feature_service_ = std::make_unique<FeatureServiceImpl>(registry_.get(), budget_.get(), executor_.get(),
                                                          &request_worker_, limits, &metrics_);
  prompt_service_ =
      std::make_unique<PromptServiceImpl>(registry_.get(), midcoder_store_.get(), budget_.get(), executor_.get(),
                                          &request_worker_, &storage_worker_, limits, &metrics_);
}

void Server::MakeMidcoderServices() {
  midcoder_importer_ = std::make_unique<MidcoderImporter>(MidcoderImporter::Parts{.registry = registry_.get(),
                                                                                  .midcoders = midcoder_store_.get(),
                                                                                  .snapshots = snapshot_store_.get(),
                                                                                  .uploads = upload_store_.get(),
                                                                                  .clock = &clock_,
                                                                                  .budget = budget_.get()});
  midcoder_exporter_ = std::make_unique<MidcoderExporter>(data_folder_.get(), midcoder_store_.get(),
                                                          snapshot_store_.get(), budget_.get());
  midcoder_service_ =
      std::make_unique<MidcoderServiceImpl>(MidcoderServiceImpl::Parts{.registry = registry_.get(),
                                                                       .budget = budget_.get(),
                                                                       .jobs = jobs_.get(),
                                                                       .midcoders = midcoder_store_.get(),
                                                                       .snapshots = snapshot_store_.get(),
                                                                       .importer = midcoder_importer_.get(),
                                                                       .exporter = midcoder_exporter_.get(),
                                                                       .worker = &storage_worker_,
                                                                       .loading_worker = &loading_worker_,
                                                                       .metrics = &metrics_});
}

void Server::MakeAnalysisServices() {
  const AnalysisSources sources{
      .registry = registry_.get(), .snapshots = snapshot_store_.get(), .factorizations = factorization_store_.get()};
  analysis_desk_ = std::make_unique<AnalysisDesk>(AnalysisDesk::Parts{.sources = sources,
                                                                      .budget = budget_.get(),
                                                                      .jobs = jobs_.get(),
                                                                      .job_store = job_store_.get(),
                                                                      .executor = executor_.get(),
                                                                      .worker = &analysis_worker_});
  analysis_worker_.Post(ConfigureLoadingThread);
  statistics_service_ =
      std::make_unique<StatisticsServiceImpl>(StatisticsServiceImpl::Parts{.registry = registry_.get(),
                                                                           .budget = budget_.get(),
                                                                           .jobs = jobs_.get(),
                                                                           .job_store = job_store_.get(),
                                                                           .midcoders = midcoder_store_.get(),
                                                                           .snapshots = snapshot_store_.get(),
                                                                           .desk = analysis_desk_.get(),
                                                                           .worker = &storage_worker_,
                                                                           .metrics = &metrics_});
  factorization_importer_ =
      std::make_unique<FactorizationImporter>(FactorizationImporter::Parts{.factorizations = factorization_store_.get(),
                                                                           .uploads = upload_store_.get(),
                                                                           .clock = &clock_,
                                                                           .budget = budget_.get()});
  factorization_exporter_ = std::make_unique<FactorizationExporter>(data_folder_.get(), factorization_store_.get());
  factorization_service_ = std::make_unique<FactorizationServiceImpl>(
      FactorizationServiceImpl::Parts{.sources = sources,
                                      .budget = budget_.get(),
                                      .jobs = jobs_.get(),
                                      .job_store = job_store_.get(),
                                      .desk = analysis_desk_.get(),
                                      .importer = factorization_importer_.get(),
                                      .exporter = factorization_exporter_.get(),
                                      .worker = &storage_worker_,
                                      .loading_worker = &loading_worker_,
                                      .metrics = &metrics_});
}

v1::GetServerInfoResponse Server::Info() const {
  v1::GetServerInfoResponse info;
  info.set_version(kVersion);
  info.set_torch_version(TORCH_VERSION);
  info.set_device(config_.device());
  info.set_threads(config_.threads());
  info.set_max_unary_tokens(config_.max_unary_tokens());
  info.set_max_message_bytes(Limits().max_message_bytes);
  for (const char* capability :
       {"activations", "midcoders", "prompts", "statistics", "factorizations", "jobs", "tensors"})
    info.add_capabilities(capability);
  SetTimestamp(clock_.Now(), info.mutable_start_time());
  return info;
}

absl::Status Server::Listen() {
  if (!config_.metrics_address().empty()) {
    SUPERPOSE_ASSIGN_OR_RETURN(metrics_endpoint_, metrics_.Expose(config_.metrics_address()));
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetUp(&builder);
  const std::vector<NamedService> services = {
      Named<v1::ServerService>(server_service_),         Named<v1::ModelService>(model_service_),
      Named<v1::CorpusService>(corpus_service_),         Named<v1::UploadService>(upload_service_),
      Named<v1::FeatureService>(feature_service_),       Named<v1::MidcoderService>(midcoder_service_),
      Named<v1::StatisticsService>(statistics_service_), Named<v1::FactorizationService>(factorization_service_),
      Named<v1::PromptService>(prompt_service_),         Named<v1::JobService>(job_service_),
      Named<v1::TensorService>(tensor_service_),
  };
  for (const NamedService& named : services) builder.RegisterService(named.service);
  int port = 0;
  builder.AddListeningPort(config_.listen_address(), grpc::InsecureServerCredentials(), &port);
  grpc_server_ = builder.BuildAndStart();
  if (grpc_server_ == nullptr || port == 0) {
    return FailedPrecondition(reason::kConfigInvalid, "listen_address ", config_.listen_address(),
                              " cannot be listened on: is another program using the port?");
  }
  address_ = absl::StrCat(HostOf(config_.listen_address()), ":", port);
  grpc::HealthCheckServiceInterface* health = grpc_server_->GetHealthCheckService();
  for (const NamedService& named : services) health->SetServingStatus(named.name, true);
  for (const auto& [name, model] : registry_->models()) health->SetServingStatus(name, true);
  return absl::OkStatus();
}

bool Server::Stop(absl::Time deadline) {
  if (grpc_server_ != nullptr) grpc_server_->GetHealthCheckService()->SetServingStatus(false);
  if (executor_ != nullptr) executor_->StopAdmitting();
  if (jobs_ != nullptr) jobs_->Stop(deadline);
  const bool idle = lane_ == nullptr || lane_->Stop(deadline);
  if (job_service_ != nullptr) job_service_->Stop();
  if (grpc_server_ != nullptr) Drain();
  if (executor_ != nullptr) executor_->Stop();
  return idle;
}

void Server::Drain() {
  const absl::Time settled = clock_.Now() + kTimeToSettle;
  while (metrics_.open_requests() > 0 && clock_.Now() < settled) absl::SleepFor(kPollInterval);
  const absl::Duration time = metrics_.open_requests() > 0 ? kTimeToDrain : kTimeToSend;
  grpc_server_->Shutdown(absl::ToChronoTime(clock_.Now() + time));
}

}  // namespace superpose
