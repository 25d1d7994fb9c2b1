#include "server/config/server_config.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

// What the memory of a pass is reckoned for (lib/transcoder/transcoder_memory.h).
constexpr int64_t kMostBatchTokens = 4096;

// Keeps the parser's first complaint, with where it is.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string Absolute(const std::string& path, const std::string& folder) {
  return path.empty() ? path : (fs::path(folder) / path).lexically_normal().string();
}

void MakePathsAbsolute(const std::string& folder, v1::ServerConfig* config) {
  config->set_data_dir(Absolute(config->data_dir(), folder));
  for (v1::ModelEntry& model : *config->mutable_model()) {
    model.set_path(Absolute(model.path(), folder));
    for (v1::TranscoderEntry& transcoder : *model.mutable_transcoder()) {
      transcoder.set_path(Absolute(transcoder.path(), folder));
      transcoder.set_log_sparsity_path(Absolute(transcoder.log_sparsity_path(), folder));
    }
  }
  for (std::string& root : *config->mutable_model_root()) root = Absolute(root, folder);
  for (v1::CorpusEntry& corpus : *config->mutable_corpus()) {
    for (std::string& path : *corpus.mutable_path()) path = Absolute(path, folder);
  }
}

void FillBatchingDefaults(v1::Batching* batching) {
  if (batching->max_requests() == 0) batching->set_max_requests(32);
  if (batching->max_tokens() == 0) batching->set_max_tokens(1024);
  if (!batching->has_max_delay_microseconds()) batching->set_max_delay_microseconds(2000);
}

void FillDefaults(v1::ServerConfig* config) {
  if (config->listen_address().empty()) config->set_listen_address("127.0.0.1:7077");
  if (config->data_dir().empty()) config->set_data_dir("data");
  if (config->device().empty()) config->set_device("cpu");
  if (config->threads() == 0) config->set_threads(std::max(1u, std::thread::hardware_concurrency()));
  if (config->slice_milliseconds() == 0) config->set_slice_milliseconds(50);
  if (config->max_unary_tokens() == 0) config->set_max_unary_tokens(8192);
  if (config->max_queued_requests() == 0) config->set_max_queued_requests(256);
  if (config->max_running_jobs() == 0) config->set_max_running_jobs(2);
  if (config->max_running_jobs_per_user() == 0) config->set_max_running_jobs_per_user(1);
  if (config->checkpoint_seconds() == 0) config->set_checkpoint_seconds(600);
  if (config->matmul_precision() == v1::MATMUL_PRECISION_UNSPECIFIED)
    config->set_matmul_precision(v1::MATMUL_PRECISION_FLOAT32);
  if (config->max_upload_bytes() == 0) config->set_max_upload_bytes(int64_t{4} << 30);
  FillBatchingDefaults(config->mutable_batching());
  for (v1::ModelEntry& model : *config->mutable_model()) FillModelDefaults(&model);
  for (v1::CorpusEntry& corpus : *config->mutable_corpus()) {
    if (corpus.model().empty() && config->model_size() == 1) corpus.set_model(config->model(0).name());
  }
}

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return InvalidArgument(reason::kConfigInvalid, parts...);
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  auto allowed = [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  };
  if (!name.empty() && name != "-" && std::all_of(name.begin(), name.end(), allowed)) return absl::OkStatus();
  return Invalid(field, " \"", name, "\" must be lower-case letters, digits, '-', '_' and '.', at least one");
}

// Whether only this machine can reach it.
bool IsLoopback(absl::string_view host) {
  auto is_numeric = [](char c) { return absl::ascii_isdigit(c) || c == '.'; };
  return host == "localhost" || host == "[::1]" ||
         (absl::StartsWith(host, "127.") && std::all_of(host.begin(), host.end(), is_numeric));
}

absl::Status CheckAddress(absl::string_view field, const std::string& address, bool allow_remote) {
  size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Invalid(field, " \"", address, "\" must be host:port, such as \"127.0.0.1:7077\"");
  }
  if (IsLoopback(address.substr(0, colon)) || allow_remote) return absl::OkStatus();
  return Invalid(field, " \"", address,
                 "\" can be reached from other machines and there is no authentication: listen on 127.0.0.1, or set "
                 "allow_remote: true");
}

absl::Status CheckPositive(absl::string_view field, int64_t value) {
  return value > 0 ? absl::OkStatus() : Invalid(field, " is ", value, ": it must be above 0");
}

absl::Status CheckBatching(const v1::Batching& batching) {
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("batching.max_requests", batching.max_requests()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("batching.max_tokens", batching.max_tokens()));
  if (batching.max_tokens() > kMostBatchTokens)
    return Invalid("batching.max_tokens is ", batching.max_tokens(), ": it must be at most ", kMostBatchTokens);
  if (batching.max_delay_microseconds() >= 0) return absl::OkStatus();
  return Invalid("batching.max_delay_microseconds is ", batching.max_delay_microseconds(), ": it must be 0 or more");
}

absl::Status CheckNumbers(const v1::ServerConfig& config) {
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("threads", config.threads()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("slice_milliseconds", config.slice_milliseconds()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("max_unary_tokens", config.max_unary_tokens()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("max_queued_requests", config.max_queued_requests()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("max_running_jobs", config.max_running_jobs()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("max_running_jobs_per_user", config.max_running_jobs_per_user()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPositive("max_upload_bytes", config.max_upload_bytes()));
  if (config.memory_limit_bytes() < 0)
    return Invalid("memory_limit_bytes is ", config.memory_limit_bytes(), ": it must be above 0, or left out");
  return CheckPositive("checkpoint_seconds", config.checkpoint_seconds());
}

absl::Status CheckDevice(const std::string& device) {
  int index = 0;
  if (device == "cpu" || device == "cuda") return absl::OkStatus();
  if (absl::StartsWith(device, "cuda:") && absl::SimpleAtoi(device.substr(5), &index) && index >= 0)
    return absl::OkStatus();
  return Invalid("device \"", device, "\" must be \"cpu\", \"cuda\" or \"cuda:N\"");
}

absl::Status CheckPrecision(const v1::ServerConfig& config) {
  const v1::MatmulPrecision precision = config.matmul_precision();
  if (!v1::MatmulPrecision_IsValid(precision))
    return Invalid("matmul_precision ", precision, " must be MATMUL_PRECISION_FLOAT32 or MATMUL_PRECISION_TF32");
  if (precision == v1::MATMUL_PRECISION_FLOAT32 || config.device() != "cpu") return absl::OkStatus();
  return Invalid("matmul_precision MATMUL_PRECISION_TF32 is for CUDA devices: on \"cpu\" leave it out");
}

absl::Status CheckTranscoder(const v1::TranscoderEntry& transcoder) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName("transcoder.id", transcoder.id()));
  if (transcoder.path().empty()) return Invalid("transcoder \"", transcoder.id(), "\" has no path");
  const std::string& input = transcoder.input();
  if (input.empty() || input == "normalized_before_gain" || input == "normalized_after_gain") return absl::OkStatus();
  return Invalid("transcoder \"", transcoder.id(), "\": input \"", input,
                 "\" must be \"normalized_before_gain\" or \"normalized_after_gain\"");
}

absl::Status CheckModel(const v1::ModelEntry& model) {
  SUPERPOSE_RETURN_IF_ERROR(CheckName("model.name", model.name()));
  if (model.path().empty()) return Invalid("model \"", model.name(), "\" has no path");
  std::set<std::string> ids;
  for (const v1::TranscoderEntry& transcoder : model.transcoder()) {
    SUPERPOSE_RETURN_IF_ERROR(CheckTranscoder(transcoder));
    if (!ids.insert(transcoder.id()).second) {
      return Invalid("transcoder.id \"", transcoder.id(), "\" stands twice in model \"", model.name(), "\"");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckModels(const v1::ServerConfig& config) {
  if (config.model().empty()) return Invalid("model is missing: at least one model { name: .. path: .. } is needed");
  std::set<std::string> names;
  for (const v1::ModelEntry& model : config.model()) {
    SUPERPOSE_RETURN_IF_ERROR(CheckModel(model));
    if (!names.insert(model.name()).second) return Invalid("model.name \"", model.name(), "\" stands twice");
  }
  return absl::OkStatus();
}

absl::Status CheckCorpora(const v1::ServerConfig& config) {
  std::set<std::string> names;
  for (const v1::CorpusEntry& corpus : config.corpus()) {
    SUPERPOSE_RETURN_IF_ERROR(CheckName("corpus.name", corpus.name()));
    if (!names.insert(corpus.name()).second) return Invalid("corpus.name \"", corpus.name(), "\" stands twice");
    if (corpus.path().empty()) return Invalid("corpus \"", corpus.name(), "\" has no path");
    auto is_model = [&](const v1::ModelEntry& model) { return model.name() == corpus.model(); };
    if (std::none_of(config.model().begin(), config.model().end(), is_model)) {
      return Invalid("corpus \"", corpus.name(), "\" must name one of the models in its field model");
    }
    if (!corpus.token_dtype().empty() && corpus.token_dtype() != "uint16" && corpus.token_dtype() != "uint32") {
      return Invalid("token_dtype \"", corpus.token_dtype(), "\" must be \"uint16\" or \"uint32\"");
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const v1::ServerConfig& config) {
  SUPERPOSE_RETURN_IF_ERROR(CheckAddress("listen_address", config.listen_address(), config.allow_remote()));
  if (!config.metrics_address().empty()) {
    SUPERPOSE_RETURN_IF_ERROR(CheckAddress("metrics_address", config.metrics_address(), config.allow_remote()));
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckDevice(config.device()));
  SUPERPOSE_RETURN_IF_ERROR(CheckPrecision(config));
  SUPERPOSE_RETURN_IF_ERROR(CheckNumbers(config));
  SUPERPOSE_RETURN_IF_ERROR(CheckBatching(config.batching()));
  SUPERPOSE_RETURN_IF_ERROR(CheckModels(config));
  return CheckCorpora(config);
}

}  // namespace

void FillTranscoderDefaults(v1::TranscoderEntry* transcoder) {
  if (transcoder->id().empty()) transcoder->set_id(absl::StrCat("layer", transcoder->layer()));
}

void FillModelDefaults(v1::ModelEntry* model) {
  for (v1::TranscoderEntry& transcoder : *model->mutable_transcoder()) FillTranscoderDefaults(&transcoder);
}

absl::Status CheckModelEntry(const v1::ModelEntry& model) { return CheckModel(model); }
absl::Status CheckTranscoderEntry(const v1::TranscoderEntry& transcoder) { return CheckTranscoder(transcoder); }

absl::StatusOr<v1::ServerConfig> ParseServerConfig(const std::string& text, const std::string& folder) {
  v1::ServerConfig config;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &config)) return Invalid(error.text());
  FillDefaults(&config);
  MakePathsAbsolute(folder, &config);
  SUPERPOSE_RETURN_IF_ERROR(Check(config));
  return config;
}

absl::StatusOr<v1::ServerConfig> ReadServerConfig(const std::string& path) {
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return NotFound(reason::kFileNotFound, "cannot tell in which folder ", path, " is: ", error.message());
  auto config = ParseServerConfig(std::string(file->text()), absolute.parent_path().string());
  if (!config.ok()) return WithContext(config.status(), path);
  return config;
}

}  // namespace superpose
