#pragma once

#include <c10/core/Device.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/corpora/corpus_store.h"
#include "server/factorization_files/factorization_exporter.h"
#include "server/factorization_files/factorization_importer.h"
#include "server/jobs/data_folder.h"
#include "server/jobs/database.h"
#include "server/jobs/factorization_store.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/job_store.h"
#include "server/jobs/midcoder_store.h"
#include "server/runtime/clock.h"
#include "server/runtime/device_executor.h"
#include "server/runtime/long_lane.h"
#include "server/runtime/memory_budget.h"
#include "server/runtime/model_registry.h"
#include "server/runtime/worker.h"
#include "server/services/analysis_desk.h"
#include "server/services/corpus_service.h"
#include "server/services/factorization_service.h"
#include "server/services/feature_service.h"
#include "server/services/job_service.h"
#include "server/services/midcoder_service.h"
#include "server/services/model_loading.h"
#include "server/services/model_service.h"
#include "server/services/prompt_service.h"
#include "server/services/server_service.h"
#include "server/services/statistics_service.h"
#include "server/services/tensor_service.h"
#include "server/services/upload_service.h"
#include "server/telemetry/metrics.h"
#include "server/uploads/upload_store.h"
#include "superpose/v1/server_config.pb.h"

namespace superpose {

// The whole server: everything it is made of, in the order in which one part needs the other.
class Server {
 public:
  // Locks the data folder, loads models and corpora, takes up the jobs that were left, and listens. Errors: those of
  // the parts; CONFIG_INVALID when an address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const v1::ServerConfig& config);
  ~Server();

  // Where clients connect, with the port that was taken.
  const std::string& address() const { return address_; }
  // Where Prometheus scrapes, likewise; "" for nowhere.
  std::string metrics_address() const { return metrics_endpoint_ == nullptr ? "" : metrics_endpoint_->address(); }

  // Takes no new work, checkpoints running jobs and gives them back to the queue, lets requests end; all by `deadline`,
  // about. False when a unit of work that nothing can interrupt is still under way, though it is given up and nothing
  // comes of it: destroying this would wait for its end.
  bool Stop(absl::Time deadline);

 private:
  explicit Server(const v1::ServerConfig& config);
  absl::Status OpenStorage();
  absl::Status LoadModels();
  absl::Status SetMemoryLimit();
  void SetServing(const std::string& model, bool serving);
  absl::Status LoadUploads();
  absl::Status StartJobs();
  void MakeServices();
  void MakePromptServices();
  void MakeMidcoderServices();
  void MakeAnalysisServices();
  absl::Status Listen();
  // Ends all calls and connections.
  void Drain();
  v1::GetServerInfoResponse Info() const;

  const v1::ServerConfig config_;
  std::string address_;
  const SystemClock clock_;
  Metrics metrics_;
  std::unique_ptr<DataFolder> data_folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<JobStore> job_store_;
  std::unique_ptr<MidcoderStore> midcoder_store_;
  std::unique_ptr<SnapshotStore> snapshot_store_;
  std::unique_ptr<FactorizationStore> factorization_store_;
  std::unique_ptr<UploadStore> upload_store_;
  c10::Device device_ = c10::Device(c10::kCPU);
  std::unique_ptr<MemoryBudget> budget_;
  std::unique_ptr<ModelRegistry> registry_;
  std::unique_ptr<CorpusStore> corpus_store_;
  std::unique_ptr<DeviceExecutor> executor_;
  std::unique_ptr<LongLane> lane_;
  std::unique_ptr<JobManager> jobs_;
  Worker storage_worker_;   // for calls that wait for the disk
  Worker request_worker_;   // for calls that take a moment's computing: tokenizing, describing
  Worker corpus_worker_;    // for calls that tokenize a whole corpus
  Worker loading_worker_;   // for reading and processing weights
  Worker analysis_worker_;  // for calls that open snapshots and look at directions
  std::unique_ptr<ModelLoading> model_loading_;
  std::unique_ptr<ServerServiceImpl> server_service_;
  std::unique_ptr<ModelServiceImpl> model_service_;
  std::unique_ptr<CorpusServiceImpl> corpus_service_;
  std::unique_ptr<UploadServiceImpl> upload_service_;
  std::unique_ptr<FeatureServiceImpl> feature_service_;
  std::unique_ptr<MidcoderImporter> midcoder_importer_;
  std::unique_ptr<MidcoderExporter> midcoder_exporter_;
  std::unique_ptr<MidcoderServiceImpl> midcoder_service_;
  std::unique_ptr<AnalysisDesk> analysis_desk_;
  std::unique_ptr<StatisticsServiceImpl> statistics_service_;
  std::unique_ptr<FactorizationImporter> factorization_importer_;
  std::unique_ptr<FactorizationExporter> factorization_exporter_;
  std::unique_ptr<FactorizationServiceImpl> factorization_service_;
  std::unique_ptr<PromptServiceImpl> prompt_service_;
  std::unique_ptr<JobServiceImpl> job_service_;
  std::unique_ptr<TensorServiceImpl> tensor_service_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  std::unique_ptr<grpc::Server> grpc_server_;
};

}  // namespace superpose
