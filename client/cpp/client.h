// The C++ client of a Superpose server.
//
//   absl::StatusOr<superpose::Client> client = superpose::Client::Connect("lab-gpu:7077", {.user = "ada"});
//   superpose::client::ActivationsQuery query{.transcoders = {superpose::client::LayerName(2)},
//                                             .texts = {"The cat sat"}};
//   absl::StatusOr<superpose::client::Activations> found = client->GetActivations(query);
//
// Names are resource names as in the contract: "models/demo", "models/demo/transcoders/layer2", "corpora/demo",
// "jobs/..", "midcoders/..", "snapshots/..", "factorizations/..". "models/-" is the only model.
//
// Every error is an absl::Status with the server's code and message; ReasonOf(status) (errors.h) is its stable reason.
// Beside what each function names, any of them gives UNAVAILABLE when the server is not there (the message has its
// address and what to look at) and DEADLINE_EXCEEDED when the deadline passed. Calls that change nothing, and those
// with a request id, are tried again a few times while the server is not there.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cpp/activations.h"
#include "client/cpp/analysis.h"
#include "client/cpp/errors.h"
#include "client/cpp/options.h"
#include "client/cpp/prompts.h"
#include "client/cpp/tensor.h"
#include "superpose/v1/corpus.pb.h"
#include "superpose/v1/corpus_service.pb.h"
#include "superpose/v1/factorization.pb.h"
#include "superpose/v1/factorization_service.pb.h"
#include "superpose/v1/job.pb.h"
#include "superpose/v1/midcoder.pb.h"
#include "superpose/v1/midcoder_service.pb.h"
#include "superpose/v1/model.pb.h"
#include "superpose/v1/model_service.pb.h"
#include "superpose/v1/prompt_service.pb.h"
#include "superpose/v1/server_config.pb.h"
#include "superpose/v1/server_service.pb.h"
#include "superpose/v1/statistics.pb.h"
#include "superpose/v1/statistics_service.pb.h"

namespace superpose::client {

inline constexpr char kDefaultAddress[] = "127.0.0.1:7077";

bool IsFinished(const v1::Job& job);
// OK for a job that has not failed; its error, with its reason, for one that has; CANCELLED / JOB_CANCELLED for a
// cancelled one.
absl::Status OutcomeOf(const v1::Job& job);

struct Connection;

// A connection to one server. Thread-safe; copies share the connection.
class Client {
 public:
  // Connects to "host:port" and asks the server what it is. HTTP proxies of the environment are not used.
  // INVALID_ARGUMENT when the user's name cannot travel.
  static absl::StatusOr<Client> Connect(const std::string& address = kDefaultAddress, ClientOptions options = {});

  // What the server said when the connection was made.
  const v1::GetServerInfoResponse& info() const;
  // What it says now.
  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo() const;

  // All models, in name order.
  absl::StatusOr<std::vector<v1::Model>> ListModels() const;
  // NOT_FOUND / MODEL_NOT_FOUND.
  absl::StatusOr<v1::Model> GetModel(const std::string& name = "models/-") const;
  // Loads a model, or a transcoder of one, from files on the server's disk, while others work. They stay until they are
  // unloaded or the server ends. PERMISSION_DENIED / PATH_NOT_ALLOWED, ALREADY_EXISTS / RESOURCE_EXISTS,
  // RESOURCE_EXHAUSTED / MEMORY_EXCEEDED, errors of the files; then all is as it was.
  absl::StatusOr<v1::Model> LoadModel(const v1::ModelEntry& model) const;
  absl::StatusOr<v1::Transcoder> LoadTranscoder(const std::string& model, const v1::TranscoderEntry& transcoder,
                                                bool replace = false) const;
  // Takes no new work for it, and returns when calls under way have ended and its memory is free. FAILED_PRECONDITION /
  // RESOURCE_IN_USE while jobs use it.
  absl::Status UnloadModel(const std::string& name) const;
  absl::Status UnloadTranscoder(const std::string& name) const;
  // Token ids of each text. FAILED_PRECONDITION / TOKENIZER_MISSING.
  absl::StatusOr<v1::TokenizeResponse> Tokenize(const v1::TokenizeRequest& request) const;
  // The text of one sequence of token ids. INVALID_ARGUMENT / TOKEN_OUT_OF_RANGE; FAILED_PRECONDITION /
  // TOKENIZER_MISSING.
  absl::StatusOr<v1::DetokenizeResponse> Detokenize(const std::vector<int32_t>& token_ids,
                                                    const std::string& model = "models/-") const;
  // All corpora, in name order.
  absl::StatusOr<std::vector<v1::Corpus>> ListCorpora() const;
  // NOT_FOUND / CORPUS_NOT_FOUND.
  absl::StatusOr<v1::Corpus> GetCorpus(const std::string& name) const;
  // Makes a corpus of files that Upload sent, and waits until the server has read them: text is tokenized. The same
  // content under the same name again is no error. ALREADY_EXISTS / RESOURCE_EXISTS; what is wrong with the files.
  absl::StatusOr<v1::Corpus> CreateCorpus(const v1::CreateCorpusRequest& request) const;
  // Deletes a corpus that was uploaded. FAILED_PRECONDITION / RESOURCE_IN_USE while jobs read it, and for one of the
  // server's config.
  absl::Status DeleteCorpus(const std::string& name) const;

  // Sends a file and returns its name, "uploads/..", for calls that make something of it. What the server has already
  // is not sent again, and a broken stream goes on where it broke, also after the server was restarted. NOT_FOUND /
  // FILE_NOT_FOUND; RESOURCE_EXHAUSTED / REQUEST_TOO_LARGE; STORAGE_FULL; DATA_LOSS / UPLOAD_CORRUPT when the file
  // changes while it is sent.
  absl::StatusOr<std::string> Upload(const std::string& path, const UploadProgress& on_progress = nullptr) const;
  // The same for bytes in memory.
  absl::StatusOr<std::string> UploadBytes(absl::string_view bytes, const UploadProgress& on_progress = nullptr) const;

  // Activations of any number of tokens: one call where the server takes them in one, a stream otherwise.
  absl::StatusOr<Activations> GetActivations(const ActivationsQuery& query) const;
  // The same part after part, as they are computed, for more than fits in memory. Parts hold whole sequences, in order.
  // Stops with the first error that `on_part` returns.
  absl::Status StreamActivations(const ActivationsQuery& query,
                                 const std::function<absl::Status(Activations part)>& on_part) const;

  // Tensors around one layer's MLP at every token of a prompt (prompts.h makes one), checked piece by piece (CRC-32C).
  // Here and in the two that follow: RESOURCE_EXHAUSTED / REQUEST_TOO_LARGE for a prompt of more than
  // info().max_unary_tokens() tokens, or an answer that is too large.
  absl::StatusOr<MlpTensors> GetMlpTensors(const v1::GetMlpTensorsRequest& request) const;
  // Log-probabilities of the next token.
  absl::StatusOr<v1::PredictNextTokensResponse> PredictNextTokens(const v1::PredictNextTokensRequest& request) const;
  // Sets features to values and tells how the predictions change. INVALID_ARGUMENT / FEATURE_OUT_OF_RANGE;
  // CONFIG_INVALID for a value below 0, or a position that a sequence does not have.
  absl::StatusOr<v1::InterveneResponse> Intervene(const v1::InterveneRequest& request) const;

  // Submits a job. The spec is checked first: INVALID_ARGUMENT / CONFIG_INVALID, NOT_FOUND with the missing thing's
  // reason. ALREADY_EXISTS / REQUEST_ID_REUSED when the request id was used for something else.
  absl::StatusOr<v1::Job> TrainMidcoder(const v1::MidcoderTrainingSpec& spec, const SubmitOptions& options = {}) const;
  // What training would take in memory, and what would fit where that is too much.
  absl::StatusOr<v1::MemoryEstimate> EstimateMidcoderTraining(const v1::MidcoderTrainingSpec& spec) const;
  absl::StatusOr<v1::Job> EvaluateMidcoder(const v1::MidcoderEvaluationSpec& spec,
                                           const SubmitOptions& options = {}) const;

  // NOT_FOUND / JOB_NOT_FOUND, here and in the four that follow.
  absl::StatusOr<v1::Job> GetJob(const std::string& name) const;
  // The job once the cancel is noted. FAILED_PRECONDITION / JOB_ALREADY_FINISHED.
  absl::StatusOr<v1::Job> CancelJob(const std::string& name) const;
  // Forgets a job that has ended. FAILED_PRECONDITION / JOB_NOT_FINISHED.
  absl::Status DeleteJob(const std::string& name) const;
  // Calls back with the job as it is now and at every change until it has ended, however it ended, and returns it.
  // Outlives restarts of the server: it connects again. CANCELLED when options.stop was requested; DEADLINE_EXCEEDED at
  // options.deadline; UNAVAILABLE when the server is not there at first, or stayed away for options.reconnect_for.
  absl::StatusOr<v1::Job> WatchJob(const std::string& name, const JobCallback& on_change,
                                   const WatchOptions& options = {}) const;
  // The same, and the job's own error (OutcomeOf) when it did not succeed.
  absl::StatusOr<v1::Job> WaitForJob(const std::string& name, const JobCallback& on_change = nullptr,
                                     const WatchOptions& options = {}) const;
  // Newest first.
  absl::StatusOr<std::vector<v1::Job>> ListJobs(const ListJobsOptions& options = {}) const;

  // Newest first.
  absl::StatusOr<std::vector<v1::Midcoder>> ListMidcoders() const;
  // NOT_FOUND / MIDCODER_NOT_FOUND, here and in the two that follow.
  absl::StatusOr<v1::Midcoder> GetMidcoder(const std::string& name) const;
  // Deletes it and its files.
  absl::Status DeleteMidcoder(const std::string& name) const;
  // Losses of its training, a row a step.
  absl::StatusOr<v1::TrainingHistory> GetMidcoderHistory(const std::string& name) const;

  // Sends a file and makes a midcoder of it: .pt as the reference's code saves one, or what ExportMidcoder wrote. The
  // reference's form does not say on which transcoder it was trained: name it, "models/../transcoders/..". Our own form
  // does, and `transcoder` may be empty when that one is loaded. Statistics in the file become a snapshot. Errors:
  // those of Upload; what is wrong with the file (FILE_CORRUPT, FILE_UNSUPPORTED, TENSOR_MISSING,
  // TENSOR_SHAPE_MISMATCH); FAILED_PRECONDITION / INPUT_CHANGED when it was trained on another transcoder.
  absl::StatusOr<v1::Midcoder> ImportMidcoder(const std::string& path, const std::string& transcoder = "",
                                              const UploadProgress& on_progress = nullptr) const;
  // The same of a file that Upload sent. Without a request id it gets a new one.
  absl::StatusOr<v1::Midcoder> ImportMidcoder(const v1::ImportMidcoderRequest& request) const;
  // Writes a midcoder to a file here, in the place of one that is there: .safetensors is our own form, with its whole
  // description; .pt the reference's, which torch.load opens. The file is there only once it is whole; every piece is
  // checked (CRC-32C), and a broken stream goes on where it broke. NOT_FOUND / MIDCODER_NOT_FOUND, SNAPSHOT_NOT_FOUND;
  // INVALID_ARGUMENT / CONFIG_INVALID for another ending; FAILED_PRECONDITION / FILE_WRITE_FAILED; DATA_LOSS when
  // pieces keep coming damaged.
  absl::Status ExportMidcoder(const std::string& name, const std::string& path,
                              const ExportOptions& options = {}) const;

  // Submits a job that collects statistics over a corpus; a snapshot results for each transcoder. A training collects
  // them too where its spec has `statistics`. Errors as of TrainMidcoder; RESOURCE_EXHAUSTED / MEMORY_EXCEEDED says
  // what would fit.
  absl::StatusOr<v1::Job> CollectStatistics(const v1::StatisticsSpec& spec, const SubmitOptions& options = {}) const;
  // What collecting would take in memory, and how large the snapshots become.
  absl::StatusOr<v1::EstimateStatisticsResponse> EstimateStatistics(const v1::StatisticsSpec& spec) const;
  // Takes a snapshot of a running job at the end of its step, one for each transcoder, and waits until they are stored;
  // of a job that has ended: those that it left. FAILED_PRECONDITION / JOB_WITHOUT_STATISTICS for other jobs, and for
  // one that has counted nothing yet.
  absl::StatusOr<std::vector<v1::Snapshot>> TakeSnapshot(const std::string& job,
                                                         const TakeSnapshotOptions& options = {}) const;
  // Submits a job that makes one snapshot of several. FAILED_PRECONDITION / SNAPSHOT_MISMATCH names the settings that
  // differ, SNAPSHOTS_OVERLAP the sequences that two counted.
  absl::StatusOr<v1::Job> MergeSnapshots(const v1::MergeSpec& spec, const SubmitOptions& options = {}) const;
  // Which settings of two snapshots differ, and whether they can be merged.
  absl::StatusOr<v1::CompareSnapshotsResponse> CompareSnapshots(const std::string& snapshot,
                                                                const std::string& other) const;
  // Asks a snapshot, directions or a factorization a question, and waits for the answer also where the server makes a
  // job of it: then as WaitForJob does. FAILED_PRECONDITION / SNAPSHOT_TENSOR_MISSING names the group that was not
  // collected; SNAPSHOT_MISMATCH when another model or transcoder is loaded; EMPTY_SELECTION, FEATURE_OUT_OF_RANGE;
  // INVALID_ARGUMENT / CONFIG_INVALID; RESOURCE_EXHAUSTED / MEMORY_EXCEEDED; DATA_LOSS for an answer that is not whole.
  absl::StatusOr<AnalysisAnswer> Analyze(const v1::AnalysisSpec& spec, const JobCallback& on_change = nullptr,
                                         const WatchOptions& options = {}) const;
  // The same in two steps, for who does not want to wait: the answer or its job; then the answer with its tensors,
  // those that came with it, or those that its `job` stored. The first asks a snapshot, the second all else
  // (AsksSnapshot).
  absl::StatusOr<v1::AnalyzeSnapshotResponse> AnalyzeSnapshot(const v1::AnalysisSpec& spec,
                                                              const AnalyzeOptions& options = {}) const;
  absl::StatusOr<v1::AnalyzeDirectionsResponse> AnalyzeDirections(const v1::AnalysisSpec& spec,
                                                                  const AnalyzeOptions& options = {}) const;
  absl::StatusOr<AnalysisAnswer> ReadAnalysis(v1::AnalysisResult result, const std::string& job = "") const;

  // Snapshots of statistics, newest first. Their tensors: ReadTensor.
  absl::StatusOr<std::vector<v1::Snapshot>> ListSnapshots(const ListSnapshotsOptions& options = {}) const;
  // NOT_FOUND / SNAPSHOT_NOT_FOUND, here and in the one that follows.
  absl::StatusOr<v1::Snapshot> GetSnapshot(const std::string& name) const;
  // Deletes it and its file. FAILED_PRECONDITION / RESOURCE_IN_USE while a queued or running job reads it.
  absl::Status DeleteSnapshot(const std::string& name) const;

  // Submits a job that explains decoder directions by fewer factors; a factorization results. INVALID_ARGUMENT /
  // CONFIG_INVALID, EMPTY_SELECTION, TENSOR_NOT_FINITE; RESOURCE_EXHAUSTED / MEMORY_EXCEEDED says what would fit.
  absl::StatusOr<v1::Job> Factorize(const v1::FactorizationSpec& spec, const SubmitOptions& options = {}) const;
  // What that would take in memory, and how many decoders it is about.
  absl::StatusOr<v1::EstimateFactorizationResponse> EstimateFactorization(const v1::FactorizationSpec& spec) const;
  // Newest first. Their tensors: ReadTensor.
  absl::StatusOr<std::vector<v1::Factorization>> ListFactorizations() const;
  // NOT_FOUND / FACTORIZATION_NOT_FOUND, here and in the one that follows.
  absl::StatusOr<v1::Factorization> GetFactorization(const std::string& name) const;
  // Deletes it and its file. FAILED_PRECONDITION / RESOURCE_IN_USE while a queued or running job reads it.
  absl::Status DeleteFactorization(const std::string& name) const;
  // Sends a file and makes a factorization of it: .pt as the reference's code saves one, or what ExportFactorization
  // wrote. What it is worth is not in a .pt: Factorize with it as `start` and 0 epochs measures that. Errors: those
  // of Upload; what is wrong with the file (FILE_CORRUPT, TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_NOT_FINITE).
  absl::StatusOr<v1::Factorization> ImportFactorization(const std::string& path,
                                                        const std::map<std::string, std::string>& labels = {},
                                                        const UploadProgress& on_progress = nullptr) const;
  // The same of a file that Upload sent. Without a request id it gets a new one.
  absl::StatusOr<v1::Factorization> ImportFactorization(const v1::ImportFactorizationRequest& request) const;
  // Writes a factorization to a file here, .safetensors or .pt, as ExportMidcoder does. NOT_FOUND /
  // FACTORIZATION_NOT_FOUND, and the other errors of that.
  absl::Status ExportFactorization(const std::string& name, const std::string& path,
                                   const UploadProgress& on_progress = nullptr) const;

  // A tensor of a model, transcoder, midcoder, snapshot, factorization or analysis job, or a part: slices[i] says which
  // of dimension i; dimensions left out are read whole. Every piece is checked (CRC-32C), and a broken stream goes on
  // where it broke. NOT_FOUND / TENSOR_MISSING; OUT_OF_RANGE or INVALID_ARGUMENT / SLICE_OUT_OF_RANGE; DATA_LOSS when
  // pieces keep coming damaged.
  absl::StatusOr<Tensor> ReadTensor(const std::string& resource, const std::string& tensor,
                                    const std::vector<Slice>& slices = {}) const;

 private:
  explicit Client(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {}

  std::shared_ptr<const Connection> connection_;
};

}  // namespace superpose::client

namespace superpose {
using client::Client;
}  // namespace superpose
